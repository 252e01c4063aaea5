"""Numbers as stages wrote them, read with care, and their mean."""

import math
from collections.abc import Iterable, Mapping

from caif.intervals import Estimate


def finite(value: object) -> float | None:
    """Return a finite number, or None for anything else: logs hold NaN, texts and nothing."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def known(value: object) -> Estimate | None:
    """Read an estimate that a stage wrote: a table with a mean, or a bare number; None if it is neither."""
    if isinstance(value, Mapping):
        mean = finite(value.get("mean"))
        if mean is None:
            return None
        low, high, n = (finite(value.get(name)) for name in ("low", "high", "n"))
        return {"mean": mean, "low": low, "high": high, "n": None if n is None else int(n)}
    number = finite(value)
    return None if number is None else {"mean": number, "low": None, "high": None, "n": None}


def average(values: Iterable[float | None]) -> float | None:
    """Return the mean of the numbers that are there, None if there are none."""
    some = [value for value in values if value is not None]
    return sum(some) / len(some) if some else None
