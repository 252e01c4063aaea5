"""From encoded feedback to a reward model: features, one solved head an objective, and tuning of the trunk if wanted."""

import torch
from torch import Tensor

from caif.config import Reward
from caif.data import Rating
from caif.run import Tell
from caif.training.examples import Example, Examples, evidence
from caif.training.guards import refuse_unless_finite
from caif.training.heads import Head, fit
from caif.training.reward_model import RewardModel
from caif.training.trunk import Trunk
from caif.training.trunk_tuning import tune_trunk

FLAT = 1e-6
"""A feature or a score that varies less than this says nothing, and is not divided by its deviation."""


def fit_model(trunk: Trunk, found: Examples, cfg: Reward, seed: int, tell: Tell) -> tuple[RewardModel, Tensor]:
    """Return the reward model, and its scores of all answers."""
    features = trunk.all_features(found.answers, tell.track)
    refuse_unless_finite(float(features.abs().max()), "reward: the largest hidden state of the trunk")
    seen = sorted({n for example in found.train for n in example.answers})
    std, mean = torch.std_mean(features[seen], dim=0, correction=0)
    std = torch.where(std > FLAT, std, torch.ones_like(std))
    objectives = tuple(sorted({example.row.objective for example in found.train}))
    heads = [_head((features - mean) / std, found, objective, cfg) for objective in objectives]
    model = RewardModel(
        trunk, objectives, torch.stack([head.weights for head, _ in heads], dim=1).float(), mean, std,
        {"model": cfg.model.model_dump(mode="json"), "rank": cfg.rank, "max_length": cfg.max_length},
    )  # fmt: skip
    model.facts["decay"] = {name: head.decay for name, (head, _) in zip(objectives, heads, strict=True)}
    model.facts["temperature"] = {name: head.temperature for name, (head, _) in zip(objectives, heads, strict=True)}
    model.facts["thresholds"] = {
        name: dict(zip(sources, head.thresholds.tolist(), strict=True))
        for name, (head, sources) in zip(objectives, heads, strict=True)
    }
    if cfg.rank:
        tune_trunk(model, found, cfg, seed, tell)
        model.facts["temperature"] = dict.fromkeys(objectives)  # it was fitted for another trunk
        features = model.trunk.all_features(found.answers, tell.track)
    scores = model.read(features)
    model.facts["scale"] = {name: _scale(scores[seen, k]) for k, name in enumerate(objectives)}
    return model, scores


def _head(inputs: Tensor, found: Examples, objective: str, cfg: Reward) -> tuple[Head, list[str]]:
    rows = [example for example in found.train if example.row.objective == objective]
    sources = _sources(rows)
    numbers = sorted({n for example in rows for n in example.answers})
    place = {n: k for k, n in enumerate(numbers)}
    shown = evidence(rows, place, {source: n for n, source in enumerate(sources)})
    return fit(inputs[numbers], shown, len(sources), cfg.decay, cfg.centre), sources


def _sources(rows: list[Example]) -> list[str]:
    return sorted({example.row.source for example in rows if isinstance(example.row, Rating)})


def _scale(scores: Tensor) -> dict[str, float]:
    std, mean = torch.std_mean(scores, correction=0)
    return {"mean": float(mean), "std": float(std) if std > FLAT else 1.0}
