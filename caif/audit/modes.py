"""Which way of asking a judge to use, by people's pairs that every way has judged; or none, if all are at chance."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import NormalDist
from typing import Any

from caif.audit.agreement import Labelled, agreement, difference
from caif.intervals import CHANCE, share

ERROR = 0.05
"""How often a judge at chance may have a mode recommended."""
COVERED = 0.5
"""A mode that says nothing on more of the pairs than it judges is not recommended, however right it is on the rest."""
FEWEST = 10
"""Prompts below which no mode is recommended: an interval from so few is too narrow."""
NONE = "none: this judge is at chance here"


def comparisons(modes: Mapping[str, Sequence[Labelled]], draws: int, seed: int) -> list[dict[str, Any]]:
    """Return the paired difference in accuracy of every two modes, the better one first."""
    rows = []
    for one, other in combinations(modes, 2):
        gap = difference(modes[one], modes[other], draws, seed)
        if gap and gap["mean"] < 0:
            one, other, gap = other, one, difference(modes[other], modes[one], draws, seed)
        rows.append({"one": one, "other": other, "difference": gap})
    return rows


def recommend(modes: Mapping[str, Sequence[Labelled]], pairs: int, draws: int, seed: int) -> dict[str, Any]:
    """Return the mode with the best accuracy among those that are better than chance, and why; None if none is.

    Better than chance: the interval over prompts and Wilson's interval over the pairs both lie above one half. The first
    knows that answers to one prompt are alike, the second does not shrink to nothing where all of few are right. Of m
    modes each has 1/m of the error, so that a judge at chance is recommended for no mode in 95 of 100 audits.
    """
    prompts = {row.prompt for rows in modes.values() for row in rows}
    if len(prompts) < FEWEST:
        return {"method": None, "why": f"none: {len(prompts)} prompts are too few to tell, it takes {FEWEST}", "tried": {}}
    level = 1 - ERROR / max(len(modes), 1)
    z = NormalDist().inv_cdf((1 + level) / 2)
    tried: dict[str, dict[str, Any]] = {}
    for method, rows in modes.items():
        found = agreement(rows, draws, seed, level)
        accuracy, coverage = found.get("accuracy"), found.get("coverage")
        if accuracy is None or coverage is None:
            tried[method] = {"accuracy": accuracy, "fit": False, "why": "it judged no pair on which people decided"}
            continue
        n = min(found["decided"], pairs)  # the same pair under several principles is still one pair
        wilson = share(accuracy["mean"] * n, n, z)
        ends = [accuracy["mean"] if accuracy["low"] is None else accuracy["low"], wilson["low"] if wilson else 0.0]
        low = min(ends)
        fit = low > CHANCE and coverage["mean"] >= COVERED
        why = "" if fit else f"at best {low:.2f} is sure" if low <= CHANCE else f"it judged {coverage['mean']:.0%} of the pairs"
        tried[method] = {"accuracy": accuracy, "low": low, "fit": fit, "why": why}
    fits = [method for method, row in tried.items() if row["fit"]]
    if not fits:
        quiet = any(row.get("low", 0.0) > CHANCE for row in tried.values())
        return {"method": None, "why": "none: what beats chance here says nothing on most pairs" if quiet else NONE, "tried": tried}
    best = max(fits, key=lambda method: tried[method]["accuracy"]["mean"])
    return {"method": best, "why": f"accuracy {tried[best]['accuracy']['mean']:.2f}, surely above {tried[best]['low']:.2f}",
            "tried": tried}  # fmt: skip
