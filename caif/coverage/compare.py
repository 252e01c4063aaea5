"""Set what RL asks, or what the policy writes, against the reward model's data: distances, overlap, and two tests."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caif.coverage.overlap import overlap
from caif.coverage.reference import ENOUGH, Reference
from caif.coverage.rows import Side
from caif.coverage.shift import Shift, c2st, mmd
from caif.coverage.space import Floats
from caif.intervals import share

AT_MOST = 400
"""Rows of a side that the two tests take: their cost grows with the square, and effect sizes need no more."""


class Compared(NamedTuple):
    """All rows of both sides as they lie in the space, and what is known of each asked one."""

    reference: Floats
    asked: Floats
    known: NDArray[np.bool_]
    """Which asked texts stand in the reward model's data word for word. They cannot be outside, and are not tested."""
    neighbours: Floats
    beyond: Floats

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Which asked texts are new and beyond the limit of one of both distances."""
        return ~self.known & ((self.neighbours > 1) | (self.beyond > 0))


class Checked(NamedTuple):
    """The yardstick, where all rows lie by it, and the numbers to report."""

    yardstick: Reference
    found: Compared
    numbers: dict[str, Any]


def checked(reference: Side, asked: Side, seed: int) -> Checked | None:
    """Compare what is asked with a reference; None where one of both is too small to say anything by."""
    yardstick = Reference.of(reference, seed)
    if yardstick is None or not len(asked.keys):
        return None
    found = _compared(yardstick, reference, asked)
    return Checked(yardstick, found, {**_shares(found, reference, asked), **_tests(found, reference, asked, seed)})


def _compared(yardstick: Reference, reference: Side, asked: Side) -> Compared:
    rows, stored = yardstick.put(asked), set(reference.keys)
    known = np.array([key in stored for key in asked.keys], dtype=bool)
    return Compared(yardstick.put(reference), rows, known, yardstick.neighbours(rows), yardstick.beyond(rows))


def _shares(found: Compared, reference: Side, asked: Side) -> dict[str, Any]:
    """Return sizes, and the shares with intervals over texts; `tokens` are mean lengths."""
    n, m = len(found.asked), len(found.reference)
    overlapping = overlap(found.reference, found.asked)
    return {
        "reference": m,
        "asked": n,
        "known": int(found.known.sum()),
        "outside": share(int(found.outside.sum()), n),
        "beyond": share(int((~found.known & (found.beyond > 0)).sum()), n),
        "overlap": overlapping._asdict() if overlapping else None,
        "unasked": share((1 - overlapping.recall) * m, m) if overlapping else None,
        "tokens": [float(reference.lengths.mean()), float(asked.lengths.mean())],
    }


def _tests(found: Compared, reference: Side, asked: Side, seed: int) -> dict[str, Any]:
    """Return both tests of the new texts; None where they are fewer than `ENOUGH`."""
    new = np.flatnonzero(~found.known)
    if len(new) < ENOUGH:
        return {"mmd": None, "c2st": None}
    dice = np.random.default_rng(seed)
    ours, theirs = _some(new, dice), _some(np.arange(len(found.reference)), dice)
    rows = found.reference[theirs], found.asked[ours]
    groups = [*(reference.groups[n] for n in theirs), *(asked.groups[n] for n in ours)]
    return {"mmd": _told(mmd(*rows, seed)), "c2st": _told(c2st(*rows, groups, seed))}


def _some(numbers: NDArray[np.int64], dice: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(dice.permutation(numbers)[:AT_MOST])


def _told(shift: Shift | None) -> dict[str, float] | None:
    return shift._asdict() if shift else None
