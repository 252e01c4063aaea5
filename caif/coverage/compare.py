"""Set what RL asks, or what the policy writes, against the reward model's data: distances, overlap, and two tests."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from caif.coverage.overlap import overlap
from caif.coverage.reference import ENOUGH, Reference
from caif.coverage.rows import Side
from caif.coverage.shift import Shift, c2st, mmd
from caif.coverage.space import Floats
from caif.intervals import share

AT_MOST = 400
"""Rows of a side that the two tests take: their cost grows with the square, and effect sizes need no more."""


class Compared(NamedTuple):
    """All rows of both sides as they lie in the space, what is known of each asked one, and the numbers to report."""

    reference: Floats
    asked: Floats
    known: npt.NDArray[np.bool_]
    """Which asked texts stand in the reward model's data word for word. They cannot be outside, and are not tested."""
    neighbours: Floats
    beyond: Floats
    numbers: dict[str, Any]

    @property
    def outside(self) -> npt.NDArray[np.bool_]:
        """Which asked texts are new and further from their neighbours than the limit."""
        return ~self.known & (self.neighbours > 1)


class Checked(NamedTuple):
    """What was found, and the yardstick that it was found by."""

    yardstick: Reference
    found: Compared


def checked(reference: Side, asked: Side, seed: int) -> Checked | None:
    """Compare what is asked with a reference; None where one of both is too small to say anything by."""
    yardstick = Reference.of(reference, seed)
    if yardstick is None or not len(asked.keys):
        return None
    return Checked(yardstick, compared(yardstick, reference, asked, seed))


def compared(yardstick: Reference, reference: Side, asked: Side, seed: int) -> Compared:
    """Compare two sides. A share's interval is over texts; tests are None where fewer than `ENOUGH` texts are new."""
    theirs, ours = yardstick.put(reference), yardstick.put(asked)
    stored = set(reference.keys)
    known = np.array([key in stored for key in asked.keys], dtype=bool)
    neighbours, beyond = yardstick.neighbours(ours), yardstick.beyond(ours)
    found = Compared(theirs, ours, known, neighbours, beyond, {})
    overlapping = overlap(theirs, ours)
    n = len(known)
    found.numbers.update(
        reference=len(theirs), asked=n, known=int(known.sum()),
        outside=share(int(found.outside.sum()), n), beyond=share(int((~known & (beyond > 0)).sum()), n),
        overlap=overlapping._asdict() if overlapping else None,
        unasked=share((1 - overlapping.recall) * len(theirs), len(theirs)) if overlapping else None,
        tokens=[float(reference.lengths.mean()), float(asked.lengths.mean())],
        **_tests(found, reference, asked, seed),
    )  # fmt: skip
    return found


def _tests(found: Compared, reference: Side, asked: Side, seed: int) -> dict[str, Any]:
    new = np.flatnonzero(~found.known)
    if len(new) < ENOUGH:
        return {"mmd": None, "c2st": None}
    dice = np.random.default_rng(seed)
    ours, theirs = _some(new, dice), _some(np.arange(len(found.reference)), dice)
    rows = found.reference[theirs], found.asked[ours]
    groups = [*(reference.groups[n] for n in theirs), *(asked.groups[n] for n in ours)]
    return {"mmd": _told(mmd(*rows, seed)), "c2st": _told(c2st(*rows, groups, seed))}


def _some(numbers: npt.NDArray[np.int64], dice: np.random.Generator) -> npt.NDArray[np.int64]:
    return np.sort(dice.permutation(numbers)[:AT_MOST])


def _told(shift: Shift | None) -> dict[str, float] | None:
    return shift._asdict() if shift else None
