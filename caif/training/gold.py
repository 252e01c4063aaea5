"""A second reward model on conversations of its own: what the first one is held against when its scores are pushed."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from caif.audit.overoptimisation import Scored, sweep
from caif.content import held_out
from caif.data import Completion
from caif.training.examples import Examples
from caif.training.reward_model import RewardModel
from caif.training.shared_trunk import TrunkOf

GOLD = "gold"
"""Its folder beside the heads of the model it is gold for."""


def apart(found: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    """Return the examples to train by and those for the gold: none is in both, held-out ones in the first."""
    gold = [e for e in found.rows if not e.heldout and held_out(e.group, share, "gold", seed)]
    kept = {id(e) for e in gold}
    return replace(found, rows=[e for e in found.rows if id(e) not in kept]), replace(found, rows=gold)


def pushed(
    folder: Path, before: Sequence[Completion], after: Sequence[Completion], kl: float | None, draws: int, seed: int
) -> dict[str, Any] | None:
    """Return what best-of-n by a reward model does to its gold model's opinion; None if it has none.

    `before` are several answers a prompt of the model that RL starts from, `after` the policy's, `kl` nats away from it.
    Prompts with fewer answers than others, as some may have failed, are left out.
    """
    if not (folder / GOLD).is_dir():
        return None
    models = [RewardModel.load(folder), RewardModel.load(folder / GOLD)]
    prompts: dict[str, list[tuple[float, float]]] = {}
    for completion, both in zip(before, _both(models, before), strict=True):
        prompts.setdefault(completion.prompt.id, []).append(both)
    most = max(map(len, prompts.values()), default=0)
    prompts = {prompt: some for prompt, some in prompts.items() if len(some) == most}
    point = []
    if after and kl and kl > 0:
        level = [
            _mean([gold for _, gold in some])
            for some in (_both(models, after), [b for p in prompts.values() for b in p])
        ]
        point = [(math.sqrt(kl), level[0] - level[1])]
    return sweep(prompts, draws, seed, point)


def _both(models: Sequence[RewardModel], answers: Sequence[Completion]) -> Scored:
    asked, said = [a.prompt for a in answers], [a.text for a in answers]
    proxy, gold = (model.rewards(asked, said).sum(1).tolist() for model in models)
    return list(zip(proxy, gold, strict=True))


def gold_of(folder: Path, model: RewardModel, trunk_of: TrunkOf) -> RewardModel | None:
    """Return the gold model beside a model that was loaded from a folder, on the same trunk if it can be; None without."""
    if not (folder / GOLD).is_dir():
        return None
    return RewardModel.load(folder / GOLD, trunk_of if model.facts["rank"] else lambda *_: model.trunk)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
