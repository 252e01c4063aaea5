"""Bounds on objectives, each kept by a multiplier that grows while its bound is broken and shrinks while it is not.

Dual ascent as in Safe RLHF (2310.12773, eq. 31), on the multiplier's logarithm, so that it stays above 0. Within a group
the bound itself cancels; it acts here, on the multiplier, alone. What the multiplier weighs is the standardised objective,
so its size means the same for each.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from caif.sections.rl import Constraint

LEAST = 1e-3
DAMPING = 2.0
"""How much the multiplier answers to how far off the bound is now, besides what has added up. Without it policy and
multiplier chase each other round the optimum (Stooke et al. 2020, 2007.03964)."""
FAR = 5.0
"""Standard deviations; further off is no further."""
HOPELESS = 10
"""So many batches at its largest, with the bound still broken, and the multiplier has said all it can."""


class Multiplier(NamedTuple):
    """Where a constraint stands: how much it counts beside all else together, and what that follows from.

    `log` is what has added up, `off` how many standard deviations off the bound it is on average, above 0 if broken, and
    `spread` the standard deviation itself, on average over all batches: that of one batch says little, and where answers
    come out alike for once it would make a small way to the bound a long one.
    """

    value: float
    log: float
    off: float = 0.0
    seen: int = 0
    stuck: int = 0
    spread: float = 0.0

    @property
    def infeasible(self) -> bool:
        """Whether the bound seems out of reach."""
        return self.stuck >= HOPELESS


def begin(rule: Constraint) -> Multiplier:
    """Return the multiplier before anything is seen."""
    return Multiplier(rule.start, math.log(rule.start))


def moved(now: Multiplier, rule: Constraint, mean: float, spread: float) -> Multiplier:
    """Return the multiplier after a batch with this mean reward and standard deviation; no reward at all changes nothing."""
    if not math.isfinite(mean):
        return now
    spread = now.spread + (spread - now.spread) / (now.seen + 1)
    broken = _within(rule.sign * (rule.bound - mean) / max(spread, 1e-8), -FAR, FAR)
    off = rule.memory * now.off + (1 - rule.memory) * broken if now.seen else broken
    if now.seen < rule.delay:
        return now._replace(off=off, seen=now.seen + 1, spread=spread)
    least, most = math.log(LEAST), math.log(rule.most)
    log = _within(now.log + rule.rate * off, least, most)
    stuck = now.stuck + 1 if log == most and off > 0 else 0
    return Multiplier(math.exp(_within(log + DAMPING * off, least, most)), log, off, now.seen + 1, stuck, spread)


def constrained(free: Tensor, parts: Sequence[tuple[float, Tensor]]) -> Tensor:
    """Return advantages with constraints in them: (signed multiplier, standardised objective) each.

    Divided by the sum of what counts, so that a large multiplier leaves the constraint alone, at unit size.
    """
    total = free + torch.stack([multiplier * part for multiplier, part in parts]).sum(0) if parts else free
    return total / (1 + math.fsum(abs(multiplier) for multiplier, _ in parts))


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
