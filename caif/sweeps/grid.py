"""The points of a sweep: every combination of the weights that were named, and every combination of the bounds."""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

from caif.errors import CaifError

SECTIONS = {"dpo": "dpo", "kto": "kto"}
"""Which section's `weights` a recipe is trained with, where it is not [rl]."""
BOUNDED = ("constitutional", "rlaif")
"""The recipes whose RL keeps to constraints."""
SIGNS = {">=": "at_least", "<=": "at_most"}
SAID = {way: sign for sign, way in SIGNS.items()}


class Bound(NamedTuple):
    """What an objective's mean reward is held to: `way` is "at_least" or "at_most"."""

    way: str
    value: float

    @property
    def said(self) -> str:
        """The bound as it is written."""
        return f"{SAID[self.way]} {_exact(self.value)}"


class Point(NamedTuple):
    """What is put over the run file: weights, or bounds."""

    weights: Mapping[str, float] = {}
    bounds: Mapping[str, Bound] = {}

    @property
    def said(self) -> str:
        """The point as a page or a table names it."""
        weights = [f"{name} {_exact(weight)}" for name, weight in self.weights.items()]
        return ", ".join([*weights, *(f"{name} {bound.said}" for name, bound in self.bounds.items())])


class Trial(NamedTuple):
    """One run of a sweep."""

    point: Point
    seed: int

    @property
    def name(self) -> str:
        """What it is called as a folder."""
        weights = [f"{name}{_exact(weight)}" for name, weight in self.point.weights.items()]
        bounds = [f"{name}-{bound.way}{_exact(bound.value)}" for name, bound in self.point.bounds.items()]
        return "-".join([*weights, *bounds, f"seed{self.seed}"])

    def overrides(self, recipe: str) -> list[str]:
        """Return what is put over the run file."""
        section = SECTIONS.get(recipe, "rl")
        if self.point.bounds and recipe not in BOUNDED:
            raise CaifError(f"--bounds: the recipe {recipe!r} keeps to no bounds", f"recipe={' or '.join(BOUNDED)}")
        return [
            *(f"{section}.weights.{name}={weight!r}" for name, weight in self.point.weights.items()),
            *(f"rl.constraints.{name}.{bound.way}={bound.value!r}" for name, bound in self.point.bounds.items()),
            f"policy_seed={self.seed}",
        ]


def _exact(value: float) -> str:
    """Return a number so that no two are written alike: points and folders go by it."""
    return repr(value).removesuffix(".0")


def parse(weights: Sequence[str], bounds: Sequence[str] = ()) -> list[Point]:
    """Return the points: "a=1,2" and "b=3,4" are four, "a>=0,1" two more. An objective named twice is an error."""
    if not weights and not bounds:
        raise CaifError("sweep: nothing to try", 'name --weights "OBJECTIVE=N,N,…" or --bounds "OBJECTIVE>=N,N,…"')
    weighed, bounded = _named("--weights", "=", weights), _named("--bounds", ">=|<=", bounds)
    held = {name: [Bound(SIGNS[sign], value) for value in values] for name, (sign, values) in bounded.items()}
    return [
        *(Point(weights=dict(zip(weighed, some, strict=True))) for some in product(*(v for _, v in weighed.values())) if some),
        *(Point(bounds=dict(zip(held, some, strict=True))) for some in product(*held.values()) if some),
    ]  # fmt: skip


def _named(option: str, signs: str, texts: Sequence[str]) -> dict[str, tuple[str, list[float]]]:
    """Return the sign and the numbers of each objective."""
    named: dict[str, tuple[str, list[float]]] = {}
    for text in texts:
        found = re.fullmatch(rf"([\w.-]+)\s*({signs})(.+)", text.strip(), re.ASCII)
        try:
            values = [float(value) for value in found[3].split(",")] if found else []
        except ValueError:
            values = []
        if not found or not values or not all(abs(value) < float("inf") for value in values):
            sign = signs.replace("|", " or ")
            raise CaifError(
                f"{option} {text!r}: is not OBJECTIVE{sign}NUMBER,NUMBER,…",
                f'for example "harmlessness{signs.split("|")[0]}0.5,1,2"',
            )
        if found[1] in named:
            raise CaifError(f"{option}: {found[1]!r} stands twice", "put its numbers behind one sign")
        named[found[1]] = (found[2], list(dict.fromkeys(values)))
    return named


def trials(points: Sequence[Point], seed: int, seeds: int) -> list[Trial]:
    """Return every point with every seed, the run file's seed first; points come round before the next seed does."""
    return [Trial(point, seed + n) for n in range(seeds) for point in points]
