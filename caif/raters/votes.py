"""Labels as columns: what the reliability model reads, one entry a label, and what it gives back.

All is numpy, and every step is linear in the number of labels: a million labels are seconds of work, not objects.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer]
Floats = NDArray[np.floating]
Kind = Literal["pairs", "thumbs"]


class Items(NamedTuple):
    """The comparisons, one entry each: the answers' numbers, and signed features that a source may be biased by.

    `features` is [items, k] and changes its sign with the answers' order, such as the log of the ratio of their lengths
    (`caif.raters.features`); [items, 0] where there are none.
    """

    a: Ints
    b: Ints
    features: Floats


class Votes(NamedTuple):
    """Labels of comparisons: `p` is P(a is better) as the rater said, 0 or 1 from people and soft from judges.

    `item`, `rater` and `source` are numbers into the items, `raters` and `sources`; a judge under a principle is a rater
    of its own, `judge|principle`. A `weight` is 1 for a label like any other: the share that a labeler's principles have in a
    comparison is not to be given here, as they share one vote anyway. `order` is +1 where a stood first, -1 where it stood second, 0 where that is unknown or
    both were asked. `people` holds the sources whose bias is taken to be none: the others are measured against them.
    """

    item: Ints
    rater: Ints
    source: Ints
    p: Floats
    weight: Floats
    order: Ints
    raters: tuple[str, ...]
    sources: tuple[str, ...]
    people: frozenset[str] = frozenset()


class Thumbs(NamedTuple):
    """Thumbs on single answers. `answer` counts as in `Items.a` and `Items.b`; `rater` and `source` count into the names here."""

    answer: Ints
    rater: Ints
    source: Ints
    up: NDArray[np.bool_]
    weight: Floats
    raters: tuple[str, ...]
    sources: tuple[str, ...]


class RaterRow(NamedTuple):
    """One rater's votes of one kind, and what they are worth.

    `up` is the share of thumbs up, or of votes for the first answer shown where that is known; `agreement` how often the
    votes agree with what everybody else says of the same thing, None where nobody else spoke. `slope` is how strongly
    the votes follow what is better (negative: against it), `low` to `high` its 95 % interval, `troll` the probability
    that it is negative. `leniency` is the lean to up, or to the first place; `spam` the share of votes given without
    looking. `trust` is 2 P(right) - 1 as the others show it, 0 to 1, and `weight` what all the votes weigh.
    """

    rater: str
    kind: Kind
    source: str
    votes: int
    up: float | None
    agreement: float | None
    compared: int
    slope: float
    low: float
    high: float
    troll: float
    leniency: float
    spam: float
    trust: float
    weight: float
    signals: tuple[str, ...] = ()


class SourceRow(NamedTuple):
    """One source: its labels, and its bias by feature, in log-odds for a feature of usual size, which is taken off."""

    source: str
    votes: int
    people: bool
    bias: tuple[float, ...]


class Fused(NamedTuple):
    """What everybody says together: for each item P(a is better) and its weight in [0, 1], and who was how reliable.

    An item nobody spoke on has p 0.5 or what the features alone make likely, and weight 0.
    """

    p: Floats
    weight: Floats
    raters: list[RaterRow]
    sources: list[SourceRow]


def fuse(votes: Votes, items: Items, thumbs: Thumbs | None = None, cap: float | None = None) -> Fused:
    """Return the posterior of every item and the reliability of every rater; `caif.raters.model` has the model.

    `cap` is what the labels of one rater weigh at most, together. Nothing is random.
    """
    from caif.raters.labels import problem, scaled
    from caif.raters.model import fit
    from caif.raters.table import fused

    task = problem(votes, items._replace(features=scaled(items.features)), thumbs, cap)
    return fused(task, fit(task))
