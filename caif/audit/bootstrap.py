"""Intervals by bootstrap over prompts: answers to one prompt stand or fall together, so prompts are what is redrawn."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

from caif.errors import FAILED, CaifError
from caif.intervals import share

ByPrompt = Mapping[str, float]
"""One number a prompt: the mean over its answers."""

LEVEL = 0.95
CHUNK = 64
"""Draws at once: enough for the matrix product to pay, few enough that 100,000 prompts fit into memory."""


def interval(values: Sequence[float], draws: int, seed: int, level: float = 0.95) -> dict[str, float]:
    """Return the mean over prompts and its percentile bootstrap interval. One prompt has no interval but itself."""
    import numpy as np

    if not values:
        what = "there is nothing to average: no prompt has a usable answer"
        raise CaifError(what, "see the counts: caif show", code=FAILED)
    array = np.asarray(values, dtype=float)
    picks = np.random.default_rng(seed).integers(0, len(array), size=(draws, len(array)))
    means = array[picks].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return {"mean": float(array.mean()), "low": float(low), "high": float(high), "n": len(array)}


def compare(sides: Mapping[str, ByPrompt], draws: int, seed: int) -> dict[str, Any]:
    """Return each side's mean with its interval, and the paired difference of every later side to every earlier one."""
    table: dict[str, Any] = {name: interval(list(side.values()), draws, seed) for name, side in sides.items() if side}
    names = list(table)
    for n, later in enumerate(names):
        for earlier in names[:n]:
            shared = sorted(sides[later].keys() & sides[earlier].keys())
            gaps = [sides[later][prompt] - sides[earlier][prompt] for prompt in shared]
            if gaps:
                table[f"{later} - {earlier}"] = interval(gaps, draws, seed)
    return table


def mean_by_prompt(pairs: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Return one mean a prompt from (prompt id, value) pairs."""
    groups: dict[str, list[float]] = {}
    for prompt, value in pairs:
        groups.setdefault(prompt, []).append(value)
    return {prompt: sum(some) / len(some) for prompt, some in groups.items()}


def redraw(parts: Any, draws: int, seed: int) -> Any:
    """Return the sums over prompts of `draws` samples of as many prompts, drawn with replacement.

    `parts` has one row a prompt and one column a quantity that adds up, [prompts, k]; the result is [draws, k]. Whatever
    can be computed from such sums (a ratio, a table of counts) so gets an interval in which answers to one prompt
    stand or fall together.
    """
    import numpy as np

    values = np.asarray(parts, dtype=float)
    generator, n = np.random.default_rng(seed), len(values)
    sums = np.empty((draws, values.shape[1]))
    for start in range(0, draws, CHUNK):
        some = min(CHUNK, draws - start)
        picks = generator.integers(0, n, size=(some, n)) + n * np.arange(some)[:, None]
        times = np.bincount(picks.ravel(), minlength=some * n).reshape(some, n)
        sums[start : start + some] = times @ values
    return sums


def of_sums(statistic: Callable[[Any], Any], parts: Any, redrawn: Any, level: float = LEVEL) -> dict[str, Any] | None:
    """Return a statistic of sums as `mean`, `low`, `high` and `n` prompts; None where it is undefined.

    The statistic takes [..., k] and returns [...], NaN where it is undefined. There is no interval over fewer than two
    prompts, nor where more than 5 % of the draws leave the statistic undefined, nor where all draws are the same: all of
    a few that agree is not sure to agree always.
    """
    import numpy as np

    value = float(statistic(np.sum(parts, axis=0)))
    if not math.isfinite(value):
        return None
    drawn = np.asarray(statistic(redrawn), dtype=float)
    known = drawn[np.isfinite(drawn)]
    ends: list[float | None] = [None, None]
    if len(parts) > 1 and len(known) >= 0.95 * len(drawn) and np.ptp(known) > 1e-9 * max(1.0, abs(value)):
        ends = [float(end) for end in np.quantile(known, [(1 - level) / 2, (1 + level) / 2])]
    return {"mean": value, "low": ends[0], "high": ends[1], "n": len(parts)}


def of_share(over: int, under: int, parts: Any, redrawn: Any, level: float = LEVEL) -> dict[str, Any] | None:
    """Return the share that one column's sum is of another's, as `of_sums` does.

    Where all or none are, redrawing varies nothing; Wilson's interval for as many prompts stands in then.
    """
    found = of_sums(ratio(over, under), parts, redrawn, level)
    if found and found["low"] is None and len(parts) > 1 and found["mean"] in (0.0, 1.0):
        some = share(found["mean"] * len(parts), len(parts), NormalDist().inv_cdf((1 + level) / 2))
        found |= {"low": some["low"], "high": some["high"]} if some else {}
    return found


def ratio(over: int, under: int) -> Callable[[Any], Any]:
    """Return the statistic that divides one column's sum by another's."""
    import numpy as np

    def statistic(sums: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(sums[..., under] > 0, sums[..., over] / sums[..., under], np.nan)

    return statistic
