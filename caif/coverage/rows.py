"""What a check is about: texts with their features, and the row in which its result is kept."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from caif.content import Row
from caif.coverage.space import Floats
from caif.data import Prompt


class Side(NamedTuple):
    """Texts, each once: `keys` says which text it is, `groups` to which prompt it belongs; `lengths` are in tokens."""

    keys: Sequence[str]
    groups: Sequence[str]
    features: Floats
    lengths: Floats

    def part(self, chosen: NDArray[np.bool_]) -> Self:
        """Return the texts that a mask picks."""
        numbers = np.flatnonzero(chosen).tolist()
        keys, groups = ([names[n] for n in numbers] for names in (self.keys, self.groups))
        return self._replace(keys=keys, groups=groups, features=self.features[chosen], lengths=self.lengths[chosen])

    def of(self, groups: set[str]) -> NDArray[np.bool_]:
        """Return which texts belong to these prompts."""
        return np.array([group in groups for group in self.groups], dtype=bool)


class Covered(Row):
    """A prompt of RL, or an answer that the policy wrote to it, and how far it lies from the reward model's data.

    `neighbour` is its distance to neighbours as a part of its limit, `beyond` by how
    much it passes Mahalanobis' limit. Both are None for what stands in that data word for word, which is `known`.
    """

    of: Literal["prompt", "answer"]
    prompt: Prompt
    answer: str = ""
    neighbour: float | None = None
    beyond: float | None = None
    known: bool = False
    apart = frozenset({"neighbour", "beyond", "known"})

    @property
    def outside(self) -> bool:
        """Whether it is beyond the limit of one of both distances."""
        return (self.neighbour or 0.0) > 1 or (self.beyond or 0.0) > 0
