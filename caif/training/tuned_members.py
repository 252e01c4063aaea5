"""An ensemble of tuned trunks: one trunk in memory, and for each member an adapter and heads of its own.

Members are tuned one after the other, each from a seed of its own on conversations redrawn (2310.02743), and made equally
wide in their scores, so that none outweighs others.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from caif.config import Reward
from caif.content import rng
from caif.run import Tell
from caif.training.checkpoints import Checkpoints
from caif.training.examples import Example, Examples, Numbers
from caif.training.heads import Head
from caif.training.reward_model import RewardModel
from caif.training.trunk_tuning import tune_trunk

FLAT = 1e-6
"""Scores that vary less than this are not made wider."""


def tune_members(
    model: RewardModel,
    heads: Sequence[tuple[Numbers, Head]],
    found: Examples,
    cfg: Reward,
    seed: int,
    tell: Tell,
    kept: Checkpoints | None = None,
) -> tuple[list[Head], Tensor]:
    """Tune the model as often as it is to have members, and give it their weights.

    Returns its heads, and all answers' features [answers, members, features]. Each member has checkpoints of its own.
    """
    alone = cfg.ensemble == 1
    tuned = []
    for n in range(cfg.ensemble):
        rows = found if alone else redrawn(found, seed, n)
        own = kept.part(f"member-{n}") if kept else None
        tuned.append(tune_trunk(model, heads, rows, cfg, seed + n, tell, own))
    tuned = [*tuned[1:], *tuned[:1]]  # the order of `Trunk.members`
    weights = torch.stack([torch.stack([head.weights for head in some], dim=1) for some in tuned])
    model.weights = torch.cat([weights, weights.new_zeros(len(tuned), 1, len(heads))], dim=1)  # nothing for the length
    features = model.features(found.answers, tell.track)
    if alone:
        return tuned[0], features
    seen = sorted({n for example in found.train for n in example.answers})
    spread = model.members(features[seen]).std(dim=0, correction=0).clamp(min=FLAT)
    factor = spread.mean(dim=0) / spread  # [members, objectives]
    model.weights = model.weights * factor[:, None]
    return [_met([some[k] for some in tuned], factor[:, k]) for k in range(len(heads))], features


def drawn(examples: Sequence[Example], seed: int, member: int) -> Counter[str]:
    """Return how often a bootstrap sample of the examples' conversations holds each, by its opening."""
    names = sorted({example.row.prompt.opening for example in examples})
    return Counter(rng("ensemble", seed, member).choices(names, k=len(names)))


def redrawn(found: Examples, seed: int, member: int) -> Examples:
    """Return the training rows weighed by how often a bootstrap sample holds their conversation."""
    times = drawn(found.train, seed, member)
    weights = [example.row.weight * times[example.row.prompt.opening] for example in found.train]
    rows = [
        example._replace(row=example.row.model_copy(update={"weight": weight}))
        for example, weight in zip(found.train, weights, strict=True)
    ]
    return replace(found, rows=rows)


def _met(heads: Sequence[Head], factor: Tensor) -> Head:
    """Return one objective's head with thresholds for the mean of its members' scores."""
    thresholds = torch.stack([head.terms.thresholds for head in heads])
    return heads[0]._replace(terms=heads[0].terms._replace(thresholds=(thresholds * factor[:, None]).mean(0)))
