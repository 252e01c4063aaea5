"""Tune the reward model's trunk with its heads, by the loss that the heads were solved by, starting from where they are."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from caif.config import Reward
from caif.content import rng
from caif.run import Tell
from caif.training.examples import Example, Examples, evidence
from caif.training.guards import refuse_unless_finite
from caif.training.heads import total_loss
from caif.training.reward_model import RewardModel


class Tuned(NamedTuple):
    """What is tuned besides the trunk: the heads, and by objective the thresholds of its sources."""

    weights: Tensor
    thresholds: dict[str, Tensor]

    @classmethod
    def of(cls, model: RewardModel) -> "Tuned":
        """Return copies of a model's heads and thresholds that carry gradient."""
        known = {name: list(model.facts["thresholds"][name].values()) for name in model.objectives}
        thresholds = {name: torch.tensor(values, requires_grad=True) for name, values in known.items()}
        return cls(model.weights.clone().requires_grad_(), thresholds)

    def back_into(self, model: RewardModel) -> None:
        """Give the model what was learnt."""
        model.weights = self.weights.detach()
        for name, values in self.thresholds.items():
            sources = model.facts["thresholds"][name]
            model.facts["thresholds"][name] = dict(zip(sources, values.tolist(), strict=True))


def tune_trunk(model: RewardModel, found: Examples, cfg: Reward, seed: int, tell: Tell) -> None:
    """Put an adapter on the model's trunk and tune it with heads and thresholds."""
    model.trunk = model.trunk.with_adapter(cfg.rank, seed)
    tuned = Tuned.of(model)
    adapter = [parameter for parameter in model.trunk.model.parameters() if parameter.requires_grad]
    everything = [*adapter, tuned.weights, *tuned.thresholds.values()]
    optimizer = torch.optim.AdamW(everything, lr=cfg.learning_rate, weight_decay=0.0)
    decay = torch.tensor([model.facts["decay"][name] for name in model.objectives])
    batches = [batch for epoch in range(cfg.epochs) for batch in _batches(found.train, cfg.batch, seed, epoch)]
    for step, batch in enumerate(batches, start=1):
        optimizer.zero_grad()
        total = _backward((decay / 2 * (tuned.weights**2).sum(0)).sum())
        whole = sum(example.row.weight for example in batch)
        for n in range(0, len(batch), cfg.at_once):
            total += _backward(_part(model, tuned, found, batch[n : n + cfg.at_once], cfg.centre) / whole)
        refuse_unless_finite(total, f"reward: loss at step {step}")
        optimizer.step()
        tell.step("reward", step, len(batches), loss=total)
    tuned.back_into(model)


def _part(model: RewardModel, tuned: Tuned, found: Examples, some: Sequence[Example], centre: float) -> Tensor:
    """Return the loss of some rows, times what they weigh."""
    numbers = sorted({n for example in some for n in example.answers})
    features = model.trunk.features([found.answers[n] for n in numbers]).cpu()
    scores = ((features - model.mean) / model.std) @ tuned.weights
    place = {n: k for k, n in enumerate(numbers)}
    losses = []
    for k, name in enumerate(model.objectives):
        rows = [example for example in some if example.row.objective == name]
        sources = {source: n for n, source in enumerate(model.facts["thresholds"][name])}
        loss = total_loss(scores[:, k], tuned.thresholds[name], evidence(rows, place, sources), centre)
        losses.append(loss * sum(example.row.weight for example in rows))
    return torch.stack(losses).sum()


def _backward(loss: Tensor) -> float:
    loss.backward()
    return float(loss.detach())


def _batches(rows: Sequence[Example], size: int, seed: int, epoch: int) -> list[list[Example]]:
    order = list(rows)
    rng("reward", seed, epoch).shuffle(order)
    return [order[n : n + size] for n in range(0, len(order), size)]
