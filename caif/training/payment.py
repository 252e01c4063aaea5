"""From the named rewards of a batch to one advantage an answer: aggregation, constraints, schedules, answers cut off.

TRL computes and logs each reward by its name; what it makes of them together is replaced by this. A composite reward
that TRL centres would do for all but one thing: answers cut off would be part of their group's baseline.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from caif.sections.rl import Rl
from caif.training.advantages import AGGREGATES, Terms, standardised
from caif.training.answers import Answers, looks
from caif.training.constraints import Multiplier, begin, constrained, moved
from caif.training.schedules import weight_at

FLOOR = 0.05
"""The noise in a reward of which nothing else is said: a twentieth of a head's standard deviation."""
BAR = -1.0
"""Heads are standardised: about one training answer in six is below this."""


class Payment:
    """What rewards come to, batch by batch; the constraints' multipliers are all it remembers."""

    def __init__(
        self, names: Sequence[str], cfg: Rl, noise: Mapping[str, float] | None = None,
        authority: Mapping[str, int] | None = None,
    ) -> None:  # fmt: skip
        self.names, self.cfg = list(names), cfg
        self.multipliers: dict[str, Multiplier] = {name: begin(rule) for name, rule in cfg.constraints.items()}
        floors = {**(noise or {}), **cfg.floors}
        ranks = {**(authority or {}), **cfg.authority}
        self._terms = Terms(
            self.weights(0),
            torch.tensor([floors.get(name, FLOOR) for name in self.names], dtype=torch.float64),
            torch.tensor([ranks.get(name, 0) for name in self.names]),
            torch.tensor([cfg.bars.get(name, BAR) for name in self.names], dtype=torch.float64),
            torch.zeros(0, dtype=torch.bool),
        )

    def state(self) -> dict[str, list[float]]:
        """Return where the multipliers stand, for a checkpoint."""
        return {name: list(multiplier) for name, multiplier in self.multipliers.items()}

    def resume(self, state: Mapping[str, Sequence[float]]) -> None:
        """Set them there again."""
        self.multipliers = {name: Multiplier(*numbers) for name, numbers in state.items()}  # type: ignore[arg-type]

    def weights(self, step: int) -> Tensor:
        """Return each reward's weight at a step: 1 by default, and 0 for what has a constraint."""
        given = [self.cfg.weights.get(name, 0.0 if name in self.cfg.constraints else 1.0) for name in self.names]
        return torch.tensor([weight_at(weight, step) for weight in given], dtype=torch.float64)

    def __call__(self, answers: Answers, step: int) -> tuple[Tensor, dict[str, float]]:
        """Return one advantage an answer, and what is worth logging. Answers to one prompt lie together."""
        size, cut = self.cfg.generations, self.cfg.truncated != "keep"
        rewards = answers.rewards.double().cpu().unflatten(0, (-1, size))
        ended = answers.finished.cpu().view(-1, size)
        counted = rewards.masked_fill(~ended[:, :, None], torch.nan) if cut else rewards
        terms = self._terms._replace(weights=self.weights(step), safety=answers.safety.cpu().view(-1, size))
        self._move(counted)
        free = AGGREGATES[self.cfg.aggregation](counted, terms)
        advantages = constrained(free, self._constraints(counted, terms)).nan_to_num(0.0)
        if self.cfg.truncated == "penalty":
            advantages = advantages.masked_fill(~ended, -self.cfg.penalty)
        return advantages.flatten(), self._told(answers, counted, step)

    def _move(self, rewards: Tensor) -> None:
        for name, rule in self.cfg.constraints.items():
            known = rewards[:, :, self.names.index(name)]
            known = known[~known.isnan()]
            spread = float(known.std()) if len(known) > 1 else 0.0
            floor = float(self._terms.floors[self.names.index(name)])
            self.multipliers[name] = moved(self.multipliers[name], rule, float(known.mean()), max(spread, floor))

    def _constraints(self, rewards: Tensor, terms: Terms) -> list[tuple[float, Tensor]]:
        parts = standardised(rewards, terms.floors).nan_to_num(0.0)
        return [
            (rule.sign * self.multipliers[name].value, parts[:, :, self.names.index(name)])
            for name, rule in self.cfg.constraints.items()
        ]

    def _told(self, answers: Answers, rewards: Tensor, step: int) -> dict[str, float]:
        told = {"counted": float((~rewards.isnan().all(-1)).double().mean()), **looks(answers, rewards, self.names)}
        for name, multiplier in self.multipliers.items():
            told[f"constraints/{name}/mean"] = float(rewards[:, :, self.names.index(name)].nanmean())
            told[f"constraints/{name}/multiplier"] = multiplier.value
            told[f"constraints/{name}/infeasible"] = float(multiplier.infeasible)
        for name, weight in zip(self.names, self.weights(step).tolist(), strict=True):
            if not isinstance(self.cfg.weights.get(name, 1.0), float):
                told[f"weights/{name}"] = weight
        return told
