"""Which things hang together by links between them."""

import numpy as np

from caif.mixture.rows import Ints


def connected(size: int, one: Ints, other: Ints) -> Ints:
    """Return for each of `size` things the least number of those it is linked with, over any way of links.

    Every round hands the lesser of two linked numbers on and lets each number point to where its own points: the length
    of a way halves, so rounds are few.
    """
    least = np.arange(size, dtype=np.int64)
    while True:
        a, b = least[one], least[other]
        if (a == b).all():
            return least
        np.minimum.at(least, np.maximum(a, b), np.minimum(a, b))
        while ((further := least[least]) != least).any():
            least = further
