"""Few seeds compared: interquartile means with stratified bootstrap intervals (Agarwal et al. 2108.13264)."""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple, TypeVar

LEVEL = 0.95

T = TypeVar("T")


class Interval(NamedTuple):
    """A number and the 95 % interval around it; low and high are None with one seed, which shows no spread."""

    value: float
    low: float | None
    high: float | None


def iqm(values: Sequence[float]) -> float:
    """Return the mean of the middle half: a quarter of the values, rounded down, is cut off at either end."""
    cut = len(values) // 4
    middle = sorted(values)[cut : len(values) - cut]
    return sum(middle) / len(middle)


def stratified(
    strata: Sequence[Sequence[T]], statistic: Callable[[list[list[T]]], float], draws: int, seed: int
) -> Interval:
    """Return a statistic of several strata (points of a sweep, each with its seeds), and its percentile interval.

    Seeds are drawn again, with replacement, within each stratum, so that every draw has every stratum at its own size.
    """
    value = statistic([list(stratum) for stratum in strata])
    if all(len(stratum) < 2 for stratum in strata):
        return Interval(value, None, None)
    dice = Random(seed)
    found = sorted(statistic([dice.choices(stratum, k=len(stratum)) for stratum in strata]) for _ in range(draws))
    return Interval(value, quantile(found, (1 - LEVEL) / 2), quantile(found, (1 + LEVEL) / 2))


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of ordered numbers, between two of them by line."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
