"""The points of a sweep: every combination of the weights that were named."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

from caif.errors import CaifError

SECTIONS = {"dpo": "dpo", "kto": "kto"}
"""Which section's `weights` a recipe is trained with, where it is not [rl]."""

Weights = Mapping[str, float]


class Trial(NamedTuple):
    """One run of a sweep."""

    weights: Weights
    seed: int

    @property
    def name(self) -> str:
        """What it is called as a folder."""
        return "-".join([*(f"{name}{weight:g}" for name, weight in self.weights.items()), f"seed{self.seed}"])

    def overrides(self, recipe: str) -> list[str]:
        """Return what is put over the run file."""
        section = SECTIONS.get(recipe, "rl")
        return [
            *(f"{section}.weights.{name}={weight!r}" for name, weight in self.weights.items()),
            f"policy_seed={self.seed}",
        ]


def parse(texts: Sequence[str]) -> list[dict[str, float]]:
    """Return the weights of every point: "a=1,2" and "b=3,4" are four. An objective named twice is an error."""
    named: dict[str, list[float]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        try:
            weights = [float(value) for value in values.split(",")]
        except ValueError:
            weights = []
        if not equals or not name or not weights or not all(abs(weight) < float("inf") for weight in weights):
            raise CaifError(
                f"--weights {text!r}: is not OBJECTIVE=NUMBER,NUMBER,…", 'for example "harmlessness=0.5,1,2"'
            )
        if name in named:
            raise CaifError(f"--weights: {name!r} stands twice", "put its numbers behind one =")
        named[name] = list(dict.fromkeys(weights))
    return [dict(zip(named, weights, strict=True)) for weights in product(*named.values())]


def trials(points: Sequence[Weights], seed: int, seeds: int) -> list[Trial]:
    """Return every point with every seed, the run file's seed first; points come round before the next seed does."""
    return [Trial(point, seed + n) for n in range(seeds) for point in points]
