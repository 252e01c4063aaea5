"""Tune the reward model's trunk with its heads, by the loss that the heads were solved by, starting from where they are."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from caif import processes
from caif.config import Reward
from caif.content import rng
from caif.run import Tell
from caif.training.checkpoints import Checkpoints
from caif.training.examples import Example, Examples, Numbers, evidence
from caif.training.guards import refuse_unless_finite
from caif.training.heads import Head
from caif.training.reward_model import RewardModel
from caif.training.sharing import mine, summed
from caif.training.terms import Terms, total_loss


class Column(NamedTuple):
    """One objective's head while it is tuned with the trunk, and what its terms are of."""

    objective: str
    numbers: Numbers
    weights: Tensor
    terms: Terms
    decay: float
    rows: float
    """What its training rows weigh."""

    @classmethod
    def of(cls, objective: str, numbers: Numbers, head: Head, train: Sequence[Example]) -> "Column":
        """Return a copy of a solved head that carries gradient."""
        terms = Terms(*(term.float().requires_grad_() for term in head.terms))
        rows = sum(example.row.weight for example in train if example.row.objective == objective)
        return cls(objective, numbers, head.weights.float().requires_grad_(), terms, head.decay, rows)

    @property
    def cost(self) -> Tensor:
        """What weights and terms cost beside the rows."""
        return self.decay / 2 * self.weights @ self.weights + self.terms.prior(self.decay, self.rows)


def tune_trunk(
    model: RewardModel,
    heads: Sequence[tuple[Numbers, Head]],
    found: Examples,
    cfg: Reward,
    seed: int,
    tell: Tell,
    kept: Checkpoints | None = None,
) -> list[Head]:
    """Put an adapter on the model's trunk, tune it with the heads, and return these. Several processes share each batch."""
    model.trunk = model.trunk.with_adapter(cfg.rank, seed)
    columns = [Column.of(name, *head, found.train) for name, head in zip(model.objectives, heads, strict=True)]
    adapter = [parameter for parameter in model.trunk.model.parameters() if parameter.requires_grad]
    learnt = [tensor for column in columns for tensor in (column.weights, *column.terms) if tensor.numel()]
    tensors = [*adapter, *learnt]
    optimizer = torch.optim.AdamW(tensors, lr=cfg.learning_rate, weight_decay=0.0)
    batches = [batch for epoch in range(cfg.epochs) for batch in _batches(found.train, cfg.batch, seed, epoch)]
    behind = kept.take_up(tensors, optimizer) if kept else 0
    for step, batch in enumerate(batches[behind:], start=behind + 1):
        optimizer.zero_grad()
        total = _backward(torch.stack([column.cost for column in columns]).sum()) if processes.first() else 0.0
        whole = sum(example.row.weight for example in batch)
        alike = sorted(batch, key=lambda example: found.answers[example.answers[0]].ids)  # what they share: once
        size = min(cfg.at_once, -(-len(batch) // processes.count()))
        for n in mine(range(0, len(batch), size)):
            total += _backward(_part(model, columns, found, alike[n : n + size], cfg) / whole)
        total = summed(total, tensors)
        refuse_unless_finite(total, f"reward: loss at step {step}")
        optimizer.step()
        tell.step("reward", step, len(batches), loss=total)
        if kept and step < len(batches):
            kept.keep(step, tensors, optimizer)
    return [Head(c.weights.detach(), Terms(*(t.detach() for t in c.terms)), c.decay) for c in columns]


def _part(
    model: RewardModel, columns: Sequence[Column], found: Examples, some: Sequence[Example], cfg: Reward
) -> Tensor:
    """Return the loss of some rows, times what they weigh."""
    numbers = sorted({n for example in some for n in example.answers})
    features = model.trunk.features([found.answers[n] for n in numbers]).cpu()
    inputs = ((features - model.mean) / model.std)[:, :-1]
    place = {n: k for k, n in enumerate(numbers)}
    losses = []
    for column in columns:
        rows = [example for example in some if example.row.objective == column.objective]
        shown = evidence(rows, place, column.numbers, cfg)
        loss = total_loss(inputs, inputs @ column.weights, column.terms, shown, cfg.centre, cfg.margin)
        losses.append(loss * sum(example.row.weight for example in rows))
    return torch.stack(losses).sum()


def _backward(loss: Tensor) -> float:
    loss.backward()
    return float(loss.detach())


def _batches(rows: Sequence[Example], size: int, seed: int, epoch: int) -> list[list[Example]]:
    order = list(rows)
    rng("reward", seed, epoch).shuffle(order)
    return [order[n : n + size] for n in range(0, len(order), size)]
