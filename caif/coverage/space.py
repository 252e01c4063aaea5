"""The space that texts are compared in: features without what their length alone says, each in its own spread.

Length is the first thing in which two sets of texts differ, and no sign that one is unlike the other.
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
FLAT = 1e-6
"""A feature that varies less than this says nothing, and is not divided by its deviation."""


class Space(NamedTuple):
    """What features [rows, d] are on average for a text of its length, and how far they lie from there."""

    line: Floats
    """[2, d]: the level, and the slope by the logarithm of the length."""
    spread: Floats

    @classmethod
    def of(cls, features: Floats, lengths: Floats) -> Self:
        """Fit the space to rows with their lengths in tokens, by least squares."""
        line = np.linalg.lstsq(_design(lengths), features, rcond=None)[0]
        spread = (features - _design(lengths) @ line).std(axis=0)
        return cls(line, np.where(spread > FLAT, spread, 1.0))

    def put(self, features: Floats, lengths: Floats) -> Floats:
        """Return rows as they lie in the space."""
        return (features - _design(lengths) @ self.line) / self.spread


def _design(lengths: Floats) -> Floats:
    return np.stack([np.ones(len(lengths)), np.log1p(lengths)], axis=1)
