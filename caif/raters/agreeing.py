"""How far raters agree with one another: Krippendorff's alpha, Gwet's AC1 and Cohen's kappa, with intervals over items.

Alpha and kappa fall as one verdict prevails: where nine thumbs of ten are up, raters who agree nine times of ten may have
an alpha of 0. So the share of each verdict and AC1, which does not fall, stand beside them (METHODS 4.5).
"""

from itertools import combinations
from typing import Any

import numpy as np

from caif.audit.agreement import alpha, kappa
from caif.audit.bootstrap import of_sums, ratio
from caif.raters.votes import Floats, Ints

DRAWS = 1000
MOST = 5
"""Kappa is told of the pairs among so many raters, those with the most votes."""
FEW = 10
"""Two raters with fewer items in common than this are not compared."""


def agreeing(item: Ints, rater: Ints, side: Ints, seed: int = 0, draws: int = DRAWS) -> dict[str, Any]:
    """Return the agreement on things that several raters judged, each as mean, low, high and n items.

    `side` is 1 or 0; a rater's second word on one item is left out. `raw` is the share of pairs of raters that agree,
    `prevalence` the share of 1. None where it is undefined or nothing was judged twice.
    """
    item, rater, side = _first(item, rater, side)
    items, number = np.unique(item, return_inverse=True)
    ones = np.bincount(number, side, len(items)).astype(float)
    size = np.bincount(number, minlength=len(items)).astype(float)
    ones, size = ones[size > 1], size[size > 1]
    table: dict[str, Any] = {"raters": len(np.unique(rater)), "labels": len(item), "items": len(size)}
    if not len(size):
        return table | dict.fromkeys(("raw", "alpha", "ac1", "prevalence"))
    parts = _parts(ones, size)
    drawn = _redrawn(parts, draws, seed)
    return table | {
        "raw": of_sums(ratio(5, 4), parts, drawn), "alpha": of_sums(_alpha, parts, drawn),
        "ac1": of_sums(ac1, parts[:, 4:], drawn[:, 4:]), "prevalence": of_sums(ratio(6, 4), parts, drawn),
    }  # fmt: skip


def _first(item: Ints, rater: Ints, side: Ints) -> tuple[Ints, Ints, Ints]:
    _, first = np.unique(np.stack([item, rater]), axis=1, return_index=True)
    return item[first], rater[first], side[first]


def _parts(ones: Floats, size: Floats) -> Floats:
    """Return what each item adds to: the four cells of alpha's coincidences, 1, its raw agreement, and its share of 1."""
    nils = size - ones
    mixed = ones * nils / (size - 1)
    same = ones * (ones - 1) + nils * (nils - 1)
    return np.stack(
        [nils * (nils - 1) / (size - 1), mixed, mixed, ones * (ones - 1) / (size - 1), np.ones(len(size)),
         same / (size * (size - 1)), ones / size], axis=1,
    )  # fmt: skip


def _redrawn(parts: Floats, draws: int, seed: int) -> Floats:
    """Return the sums over as many items drawn with replacement; items that add the same are drawn as one kind."""
    kinds, times = np.unique(parts, axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(parts), times / len(parts), size=draws)
    return np.asarray(drawn @ kinds)


def _alpha(sums: Any) -> Any:
    return alpha(sums[..., :4].reshape(*sums.shape[:-1], 2, 2))


def ac1(sums: Any) -> Any:
    """Return Gwet's AC1 (2008) for two verdicts, of sums over items [..., (1, raw agreement, share of 1)].

    Chance agreement is 2 pi (1 - pi), pi the mean share of 1; it is at most one half, so this is never undefined.
    """
    raw, share = sums[..., 1] / sums[..., 0], sums[..., 2] / sums[..., 0]
    chance = 2 * share * (1 - share)
    return (raw - chance) / (1 - chance)


def between(item: Ints, rater: Ints, side: Ints, seed: int = 0, draws: int = DRAWS) -> list[dict[str, Any]]:
    """Return Cohen's kappa of every two of the busiest raters, with how often each said 1 of what both judged."""
    item, rater, side = _first(item, rater, side)
    busiest = [int(one) for one in np.argsort(-np.bincount(rater), kind="stable")[:MOST]]
    said = {
        int(one): dict(zip(item[rater == one].tolist(), side[rater == one].tolist(), strict=True)) for one in busiest
    }
    rows = []
    for one, other in combinations(said, 2):
        shared = sorted(said[one].keys() & said[other].keys())
        if len(shared) < FEW:
            continue
        mine, theirs = (np.array([said[who][n] for n in shared]) for who in (one, other))
        parts = np.eye(4)[2 * mine + theirs]
        found = of_sums(lambda sums: kappa(sums.reshape(*sums.shape[:-1], 2, 2)), parts, _redrawn(parts, draws, seed))
        rows.append({"raters": (one, other), "kappa": found, "shares": (float(mine.mean()), float(theirs.mean()))})
    return rows
