"""Estimates: a mean with its interval and how many it rests on, and whether it can be told apart from chance."""

import math
from typing import Any

Estimate = dict[str, Any]
"""`mean`, `low`, `high`, `n`; `low` and `high` are None where no interval is known."""

Z = 1.959964
"""The standard normal quantile of a two-sided interval of 95 %."""

CHANCE = 0.5


def share(hits: float, n: int, z: float = Z) -> Estimate | None:
    """Return a proportion with its Wilson interval, which holds for few rows too; None if there are no rows."""
    if n <= 0:
        return None
    p, z2 = hits / n, z * z
    middle, width = p + z2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low, high = (middle - width) / (1 + z2 / n), (middle + width) / (1 + z2 / n)
    return {"mean": p, "low": max(0.0, low), "high": min(1.0, high), "n": n}


def side_of(estimate: Estimate, value: float) -> int:
    """Return 1 if the whole interval lies above the value, -1 if below, 0 if the value lies inside or none is known."""
    if estimate["low"] is None or estimate["high"] is None:
        return 0
    return int(estimate["low"] > value) - int(estimate["high"] < value)
