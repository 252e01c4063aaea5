"""Many rewards made one: what each answer of a group is worth, compared with the others of its group.

All take rewards [groups, answers, objectives], NaN where one is missing, and give advantages [groups, answers] of about
unit size. An answer without any reward is NaN there too and is no part of its group. A reward that one answer lacks is
taken to be the group's mean of it, which says nothing for or against the answer; it is never 0.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from caif.sections.rl import Aggregation

TINY = 1e-8
ROUNDING = 1e-12
"""A spread of so small a part of the values themselves is none."""
SHARPNESS = 4.0


class Terms(NamedTuple):
    """What is said of each objective, in the order of the rewards; and of each answer, whether its prompt is about safety."""

    weights: Tensor
    floors: Tensor
    authority: Tensor
    bars: Tensor
    safety: Tensor

    @property
    def noise(self) -> Tensor:
        """The noise in a weighted sum, the objectives' own being independent."""
        return (self.weights * self.floors).norm()


Aggregate = Callable[[Tensor, Terms], Tensor]


def standardised(values: Tensor, floor: Tensor) -> Tensor:
    """Return values [groups, answers, …] less the group's mean, over its spread, or over the floor if that is more.

    So a difference within the noise stays as small as it is, and among equals everything is 0.
    """
    centred = values - values.nanmean(1, keepdim=True)
    known = (~values.isnan()).sum(1, keepdim=True)
    spread = (centred.square().nansum(1, keepdim=True) / (known - 1).clamp(min=1)).sqrt()
    equal = spread <= ROUNDING * values.abs().nan_to_num(0.0).amax(1, keepdim=True)
    return torch.where(equal, 0.0 * centred, centred) / torch.maximum(spread, floor.clamp(min=TINY))


def normalize_then_sum(rewards: Tensor, terms: Terms) -> Tensor:
    """Return the weighted mean of the objectives, each standardised by itself (GDPO, 2601.05242, with a floor).

    A mean and not a sum, so that only the weights' ratios count, and not standardised again, which would blow up what
    the floor has kept small. An objective that a whole group lacks is no part of its mean.
    """
    parts = standardised(rewards, terms.floors).nan_to_num(0.0) * terms.weights
    present = (~rewards.isnan()).any(1) * terms.weights.abs()
    return _kept(parts.sum(-1) / present.sum(-1, keepdim=True).clamp(min=TINY), rewards)


def sum_then_normalize(rewards: Tensor, terms: Terms) -> Tensor:
    """Return the weighted sum, standardised: an objective counts by its weight and by how large its rewards are."""
    return _measured(_summed(filled(rewards), terms.weights), rewards, terms)


def minimum(rewards: Tensor, terms: Terms) -> Tensor:
    """Return each answer's worst objective, standardised; weights are units, and without weight nothing counts."""
    return _measured(_weighed(rewards, terms).amin(-1), rewards, terms)


def soft_minimum(rewards: Tensor, terms: Terms, sharpness: float = SHARPNESS) -> Tensor:
    """Return -1/k log mean exp(-k r), standardised: near the worst objective, while others still count a little."""
    weighed = _weighed(rewards, terms)
    counted = weighed.isfinite().sum(-1).clamp(min=1).log()
    return _measured((counted - (-sharpness * weighed).logsumexp(-1)) / sharpness, rewards, terms)


def lexicographic(rewards: Tensor, terms: Terms) -> Tensor:
    """Return standardised ranks by the objectives of the highest authority; where they are level, by the next below."""
    return _by_authority(filled(rewards), rewards, terms)


def veto(rewards: Tensor, terms: Terms) -> Tensor:
    """Return standardised ranks by how far answers are below the bars of higher authority, then by the lowest.

    Whatever clears a bar clears it: being better still on that objective is worth nothing.
    """
    known = filled(rewards)
    above = terms.authority > terms.authority.min()
    return _by_authority(torch.where(above, (known - terms.bars).clamp(max=0.0), known), rewards, terms)


def safety_first(rewards: Tensor, terms: Terms) -> Tensor:
    """Return what the highest authority says of an answer below its bar and of prompts about safety, else what others say.

    The piecewise reward of Llama 2 (2307.09288, 3.2.3), standardised within the group.
    """
    known, highest = filled(rewards), terms.authority == terms.authority.max()
    unsafe = ((known < terms.bars) & highest).any(-1) | terms.safety
    safety, rest = (_summed(known, terms.weights * which) for which in (highest, ~highest))
    return _measured(torch.where(unsafe, safety, rest), rewards, terms)


AGGREGATES: Mapping[Aggregation, Aggregate] = {
    "normalize_then_sum": normalize_then_sum,
    "sum_then_normalize": sum_then_normalize,
    "minimum": minimum,
    "soft_minimum": soft_minimum,
    "lexicographic": lexicographic,
    "veto": veto,
    "safety_first": safety_first,
}


def filled(rewards: Tensor) -> Tensor:
    """Return rewards with the group's mean where one is missing; NaN stays where the whole group lacks it."""
    return torch.where(rewards.isnan(), rewards.nanmean(1, keepdim=True), rewards)


def _summed(known: Tensor, weights: Tensor) -> Tensor:
    return (known.nan_to_num(0.0) * weights).sum(-1)


def _weighed(rewards: Tensor, terms: Terms) -> Tensor:
    """Return weighted rewards, infinite where nothing is known or has no weight, so that it is nobody's minimum."""
    known = filled(rewards) * terms.weights
    return torch.where(known.isnan() | (terms.weights == 0), torch.inf, known)


def _measured(totals: Tensor, rewards: Tensor, terms: Terms) -> Tensor:
    """Return one reward an answer, standardised within its group."""
    return standardised(_kept(totals.nan_to_num(posinf=0.0), rewards), terms.noise)


def _kept(totals: Tensor, rewards: Tensor) -> Tensor:
    return totals.masked_fill(rewards.isnan().all(-1), torch.nan)


def _by_authority(known: Tensor, rewards: Tensor, terms: Terms) -> Tensor:
    """Return standardised mean ranks; at each level scores are rounded to their noise, which decides nothing."""
    here = ~rewards.isnan().all(-1)
    order = torch.zeros(*known.shape[:2], known.shape[1], dtype=known.dtype)
    for level in terms.authority.unique().flip(0):
        weights = terms.weights * (terms.authority == level)
        score = (_summed(known, weights) / (weights * terms.floors).norm().clamp(min=TINY)).round()
        order = torch.where(order == 0, (score[:, :, None] - score[:, None]).sign(), order)
    ranks = (order * here[:, None]).sum(-1) / 2
    return standardised(_kept(ranks, rewards), torch.zeros(()))
