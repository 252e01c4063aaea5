"""From encoded feedback to a reward model: features, solved heads for each objective, and tuning of the trunk if wanted."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from caif.config import Reward
from caif.run import Tell
from caif.training.checkpoints import Checkpoints
from caif.training.examples import Example, Examples, Numbers, evidence
from caif.training.guards import refuse_unless_finite
from caif.training.heads import Head, Shape, fit, solve
from caif.training.length import length_slopes
from caif.training.reward_model import RewardModel
from caif.training.terms import Evidence
from caif.training.trunk import Trunk
from caif.training.tuned_members import drawn, tune_members

FLAT = 1e-6
"""A feature or a score that varies less than this says nothing, and is not divided by its deviation."""


class Fitted(NamedTuple):
    """One objective's head, what its terms are of, and every member's weights, a row a member."""

    head: Head
    numbers: Numbers
    weights: Tensor


def fit_model(
    trunk: Trunk,
    found: Examples,
    cfg: Reward,
    seed: int,
    tell: Tell,
    kept: Checkpoints | None = None,
    features: Tensor | None = None,
) -> tuple[RewardModel, Tensor]:
    """Return the reward model, and its scores of all answers; their features need not be made again if they are given."""
    if features is None:
        features = trunk.all_features(found.answers, tell.track)
    refuse_unless_finite(float(features.abs().max()), "reward: the largest hidden state of the trunk")
    seen = sorted({n for example in found.train for n in example.answers})
    std, mean = torch.std_mean(features[seen], dim=0, correction=0)
    std = torch.where(std > FLAT, std, torch.ones_like(std))
    objectives = tuple(sorted({example.row.objective for example in found.train}))
    inputs = ((features - mean) / std).double()
    fitted = [_fit(inputs, found, objective, cfg, seed) for objective in objectives]
    model = RewardModel(
        trunk, objectives, torch.stack([one.weights for one in fitted], dim=2).float(), mean, std,
        {"model": cfg.model.model_dump(mode="json"), "rank": cfg.rank, "max_length": cfg.max_length,
         "together": cfg.together, "caution": cfg.caution},
    )  # fmt: skip
    heads, seen_by = [one.head for one in fitted], features[:, None]
    if cfg.rank:
        heads, seen_by = tune_members(model, [(one.numbers, one.head) for one in fitted], found, cfg, seed, tell, kept)
    model.facts["decay"] = {name: head.decay for name, head in zip(objectives, heads, strict=True)}
    model.facts["temperature"] = {name: head.temperature for name, head in zip(objectives, heads, strict=True)}
    model.facts["thresholds"] = {
        name: dict(zip(one.numbers.sources, head.terms.thresholds.tolist(), strict=True))
        for name, one, head in zip(objectives, fitted, heads, strict=True)
    }
    members = model.members(seen_by)
    scores = model.joined(members)
    model.facts["scale"] = {name: _scale(scores[seen, k], members[seen, :, k]) for k, name in enumerate(objectives)}
    return model, scores


def _fit(inputs: Tensor, found: Examples, objective: str, cfg: Reward, seed: int) -> Fitted:
    rows = [example for example in found.train if example.row.objective == objective]
    answers = sorted({n for example in rows for n in example.answers})
    place = {n: k for k, n in enumerate(answers)}
    numbers, x, length = Numbers.of(rows), inputs[answers, :-1], inputs[answers, -1:]
    shown, shape = evidence(rows, place, numbers, cfg), Shape(cfg.centre, cfg.margin)
    slopes = torch.zeros(x.shape[1], dtype=x.dtype)
    if cfg.length_free:
        slopes = length_slopes(x, length, _prompts(rows, place))
        # Length stands beside the features, so that what it explains of the labels is not pressed into them.
        x = torch.cat([x - length * slopes, length], dim=1)
    head = fit(x, shown, numbers.terms(x.shape[1]), cfg.decay, shape)
    members = [head] if cfg.ensemble == 1 or cfg.rank else _members(x, shown, head, rows, shape, cfg.ensemble, seed)
    weights = [member.weights[: len(slopes)] for member in members]
    return Fitted(head, numbers, torch.stack([_with_length(own, -own @ slopes) for own in weights]))


def _with_length(weights: Tensor, of_length: float | Tensor = 0.0) -> Tensor:
    """Return a head's weights with that of the last feature, the length."""
    return torch.cat([weights, weights.new_zeros(1) + of_length])


def _members(
    x: Tensor, shown: Evidence, head: Head, rows: Sequence[Example], shape: Shape, count: int, seed: int
) -> list[Head]:
    """Return heads like one, each solved on conversations redrawn, of equally wide scores so that none outweighs others."""
    made = []
    for member in range(count):
        redrawn = solve(x, _redrawn(shown, rows, seed, member), head, shape, precise=1e-5)
        made.append(redrawn.cooled(head.temperature) if head.temperature else redrawn)
    spreads = torch.stack([(x @ one.weights).std(correction=0) for one in made]).clamp(min=FLAT)
    return [one._replace(weights=one.weights * spreads.mean() / own) for one, own in zip(made, spreads, strict=True)]


def _redrawn(shown: Evidence, rows: Sequence[Example], seed: int, member: int) -> Evidence:
    """Return the rows weighed by how often a bootstrap sample of the conversations holds theirs."""
    times = drawn(rows, seed, member)
    of_pairs, of_thumbs = (
        torch.tensor([float(times[e.row.prompt.opening]) for e in rows if len(e.answers) == n], dtype=torch.float64)
        for n in (2, 1)
    )
    pairs, thumbs = shown
    return Evidence(pairs._replace(weight=pairs.weight * of_pairs), thumbs._replace(weight=thumbs.weight * of_thumbs))


def _prompts(rows: Sequence[Example], place: dict[int, int]) -> Tensor:
    """Return the number of each answer's prompt."""
    prompt = {place[n]: example.row.prompt.id for example in rows for n in example.answers}
    number = {name: n for n, name in enumerate(dict.fromkeys(prompt.values()))}
    return torch.tensor([number[prompt[k]] for k in range(len(place))])


def _scale(scores: Tensor, members: Tensor) -> dict[str, float]:
    """Return how scores are spread over the training answers, and how far an ensemble's members differ on one."""
    std, mean = torch.std_mean(scores, correction=0)
    scale = {"mean": float(mean), "std": float(std) if std > FLAT else 1.0}
    count = members.shape[1]
    return scale | ({"members": count, "noise": float(members.std(dim=1).mean())} if count > 1 else {})
