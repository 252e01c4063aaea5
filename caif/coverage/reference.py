"""The reward model's data as a yardstick: a space, a cloud of its texts, and the distances at which others are outside.

Neighbours see a text that is far from all others, Mahalanobis' distance one that goes against how features hang together;
in many dimensions each misses what the other finds, so a text is outside by either. Limits come from prompts that neither space nor cloud was fitted to: taken from the fitted ones they would be too tight.
"""

import math
from typing import NamedTuple, Self

import numpy as np

from caif.content import rng
from caif.coverage.distances import Gaussian, to_neighbour
from caif.coverage.rows import Side
from caif.coverage.space import Floats, Space

TAIL = 0.05
"""Share of the reward model's own kind that is outside at most, half of it by each distance."""
ENOUGH = 20
"""With fewer held-out texts the largest of their distances is passed by more than `TAIL` of others."""


class Reference(NamedTuple):
    """Texts are compared with `cloud`, as they lie in `space`; `limit` is the distance to neighbours, `far` Mahalanobis'."""

    space: Space
    cloud: Floats
    limit: float
    gaussian: Gaussian
    far: float

    @classmethod
    def of(cls, side: Side, seed: int) -> Self | None:
        """Fit it to one half of the prompts, with limits from the other; None where those are too few."""
        groups = sorted(set(side.groups))
        fitted = side.of(set(rng("coverage", seed).sample(groups, len(groups) // 2)))
        if min(fitted.sum(), (~fitted).sum()) < ENOUGH:
            return None
        space = Space.of(side.features[fitted], side.lengths[fitted])
        cloud, held = (space.put(side.features[one], side.lengths[one]) for one in (fitted, ~fitted))
        gaussian = Gaussian.of(cloud)
        limit = max(passed_by(to_neighbour(cloud, held)), 1e-12)  # copies alone have no distance
        return cls(space, cloud, limit, gaussian, passed_by(gaussian.relative(held)))

    def put(self, side: Side) -> Floats:
        """Return texts as they lie in the space."""
        return self.space.put(side.features, side.lengths)

    def neighbours(self, rows: Floats) -> Floats:
        """Return the distance to its neighbours of each row in the space, as a part of the limit: above 1 is outside."""
        return to_neighbour(self.cloud, rows) / self.limit

    def beyond(self, rows: Floats) -> Floats:
        """Return by how much each row in the space passes the limit of Mahalanobis' distance: above 0 is outside."""
        return self.gaussian.relative(rows) - self.far


def passed_by(distances: Floats, share: float = TAIL / 2) -> float:
    """Return the distance that one more draw of the same kind passes with this probability at most."""
    place = math.ceil((len(distances) + 1) * (1 - share))
    return float(np.sort(distances)[min(place, len(distances)) - 1])
