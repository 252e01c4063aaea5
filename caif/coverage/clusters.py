"""Groups of rows that lie together, and their most typical members: what a person looks at to decide what to label."""

import numpy as np
from numpy.typing import NDArray

from caif.coverage.distances import squared
from caif.coverage.space import Floats

TURNS = 50
Whole = NDArray[np.int64]


def k_means(rows: Floats, k: int, seed: int) -> tuple[Floats, Whole]:
    """Return at most k centres and each row's, by Lloyd's algorithm from a k-means++ start (Arthur, Vassilvitskii 2007)."""
    centres = _start(rows, min(k, len(rows)), np.random.default_rng(seed))
    own = squared(rows, centres).argmin(axis=1)
    for _ in range(TURNS):
        centres = np.stack([rows[own == n].mean(axis=0) for n in np.unique(own)])
        before, own = own, squared(rows, centres).argmin(axis=1)
        if np.array_equal(before, own):
            break
    return centres, own


def _start(rows: Floats, k: int, dice: np.random.Generator) -> Floats:
    chosen = [int(dice.integers(len(rows)))]
    while len(chosen) < k:
        near = squared(rows, rows[chosen]).min(axis=1)
        if near.sum() <= 1e-12 * len(rows):
            break  # all others are copies of those chosen
        chosen.append(int(dice.choice(len(rows), p=near / near.sum())))
    return rows[chosen]


def typical(rows: Floats, centre: Floats, members: Whole, show: int) -> list[int]:
    """Return the members that lie nearest to their centre, nearest first."""
    off = squared(rows[members], centre[None])[:, 0]
    return members[np.argsort(off, kind="stable")[:show]].tolist()  # type: ignore[no-any-return]
