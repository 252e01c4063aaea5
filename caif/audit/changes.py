"""What became of judgements that were made again: which verdict turned into which, and by how much P(a) moved."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count
from statistics import fmean
from typing import Any, NamedTuple

from caif.data import Judgement

ABSENT = "-"
"""Stands for the verdict of a judgement that is not there, before or after."""


class Change(NamedTuple):
    """How the verdicts of one source changed: how many by (before, after), and by how much P(a) moved on average."""

    verdicts: Mapping[tuple[str, str], int]
    drift: float | None

    @property
    def changed(self) -> int:
        """How many verdicts are other ones now."""
        return sum(n for (before, after), n in self.verdicts.items() if before != after)

    @property
    def judgements(self) -> int:
        """How many judgements there are, before or after."""
        return sum(self.verdicts.values())


def changes(before: Sequence[Judgement], after: Sequence[Judgement]) -> Change:
    """Set judgements of the same comparison, principle and judge against each other."""
    old, new = _keyed(before), _keyed(after)
    both = [(old.get(key), new.get(key)) for key in {**old, **new}]
    verdicts = Counter((a.verdict if a else ABSENT, b.verdict if b else ABSENT) for a, b in both)
    moved = [abs(a.p_a - b.p_a) for a, b in both if a and b and a.p_a is not None and b.p_a is not None]
    return Change(dict(sorted(verdicts.items())), fmean(moved) if moved else None)


def _keyed(rows: Sequence[Judgement]) -> dict[tuple[str, str, str, int], Judgement]:
    """Return judgements by what they are about; a judge that was asked in several wordings has several, in order."""
    numbers: dict[tuple[str, str, str], Any] = {}
    keyed = {}
    for row in rows:
        about = (row.comparison.id, row.principle, row.judge)
        keyed[(*about, next(numbers.setdefault(about, count())))] = row
    return keyed
