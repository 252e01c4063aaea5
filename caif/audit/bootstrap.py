"""Intervals by bootstrap over prompts: answers to one prompt stand or fall together, so prompts are what is redrawn."""

from collections.abc import Mapping, Sequence
from typing import Any

from caif.errors import FAILED, CaifError

ByPrompt = Mapping[str, float]
"""One number a prompt: the mean over its answers."""


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
