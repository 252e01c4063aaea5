"""How two sets of rows overlap: precision and recall (Kynkäänniemi et al. 2019, 1904.06991), density and coverage (Naeem
et al. 2020, 2002.09797). Every row has a ball that reaches to its k-th nearest neighbour in its own set."""

from typing import NamedTuple

import numpy as np

from caif.coverage.distances import squared
from caif.coverage.space import Floats

K = 5


class Overlap(NamedTuple):
    """Shares of rows, but for `density`, which is 1 where both sets are alike and has no upper end.

    `precision`: of the asked, that lie in the ball of a reference row. `recall`: of the reference, that lie in the ball
    of an asked one. `coverage`: of the reference, with an asked row in their ball; outliers do not blow it up.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def overlap(reference: Floats, asked: Floats, k: int = K) -> Overlap | None:
    """Return how what is asked overlaps with the reference; None where a set has no k neighbours."""
    if min(len(reference), len(asked)) <= k:
        return None
    near, far = _reach(reference, k), _reach(asked, k)
    between = squared(reference, asked)
    inside = between <= near[:, None]
    return Overlap(
        precision=float(inside.any(axis=0).mean()),
        recall=float((between <= far).any(axis=1).mean()),
        density=float(inside.sum(axis=0).mean() / k),
        coverage=float(inside.any(axis=1).mean()),
    )


def _reach(rows: Floats, k: int) -> Floats:
    """Return the squared distance of each row to its k-th nearest other one."""
    apart = squared(rows, rows)
    np.fill_diagonal(apart, np.inf)
    return np.partition(apart, k - 1, axis=1)[:, k - 1]
