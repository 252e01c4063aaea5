"""How far rows lie from a cloud of reference rows: to its nearest neighbours, and by Mahalanobis' distance."""

from typing import NamedTuple, Self

import numpy as np

from caif.coverage.space import Floats

NEIGHBOURS = 10
"""Which nearest neighbour a row's distance is measured to (Sun et al. 2022 take 1 % of the rows, or 10 to 50)."""


def squared(a: Floats, b: Floats) -> Floats:
    """Return the squared Euclidean distances of all rows of one matrix to all of another."""
    found = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.maximum(found, 0.0)  # type: ignore[no-any-return]


def to_neighbour(cloud: Floats, rows: Floats, k: int = NEIGHBOURS) -> Floats:
    """Return each row's distance to its k-th nearest of the cloud.

    Rows are not taken to length 1 first, as Sun et al. (2204.06507) do: around a cloud's middle, where its own rows lie in
    all directions, that would hide how far out a row is.
    """
    k = min(k, len(cloud))
    return np.sqrt(np.partition(squared(rows, cloud), k - 1, axis=1)[:, k - 1])


class Gaussian(NamedTuple):
    """A cloud's mean and covariance; the latter is drawn to a multiple of the identity, so that few rows do."""

    mean: Floats
    covariance: Floats

    @classmethod
    def of(cls, cloud: Floats) -> Self:
        """Fit it, with the shrinkage of Ledoit and Wolf (2004)."""
        mean = cloud.mean(axis=0)
        return cls(mean, shrunk(cloud - mean))

    def relative(self, rows: Floats) -> Floats:
        """Return Mahalanobis' squared distance less the same without correlations (Bai et al. 2022, 2204.05862, 5.4)."""
        off = rows - self.mean
        whole = (off * np.linalg.solve(self.covariance, off.T).T).sum(axis=1)
        return whole - (off**2 / np.diag(self.covariance)).sum(axis=1)  # type: ignore[no-any-return]


def shrunk(centred: Floats) -> Floats:
    """Return the covariance of centred rows [n, d], (1 - s) S + s m I, with the s that is expected to be off least."""
    n, d = centred.shape
    sample = centred.T @ centred / n
    middle = np.trace(sample) / d
    size = (sample**2).sum()
    apart = size - d * middle**2
    noise = ((centred**2).sum(axis=1) ** 2).sum() / n**2 - size / n
    share = min(max(noise / apart, 0.0), 1.0) if apart > 0 else 1.0
    return (1 - share) * sample + max(share * middle, 1e-12) * np.eye(d)  # type: ignore[no-any-return]
