"""All labels in one form: what a voice said of something that is one of two things.

What is unknown of a comparison is whether a is better. Of an answer that has thumbs and stands in no comparison it is
whether the answer is good; it is then one thing more to be known. A thumb on an answer that is compared bears on each of its
comparisons: up speaks for the answer's side.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caif.raters.votes import Floats, Ints, Items, Kind, Thumbs, Votes

CERTAIN = 1e-3
"""A judge's probability is held between this and 1 minus it."""
Truths = NDArray[np.bool_]


class Labels(NamedTuple):
    """Columns, one entry a label. A person's pairs and thumbs are two voices of one rater.

    `for_one` tells whether a label speaks for 1, which is a, or up. `said` is a judge's log-odds of that, in units of its
    numbers' size, so that a clamp or a temperature changes nothing; 1 or -1 from people. `sign` is +1 where 1 is the truth
    of the item and -1 where it is the contrary. `lean` is what a voice's leniency is multiplied with: the order of a
    pair, 1 for a thumb. `weight` is what the label counts as evidence, `share` what it counts in judging its voice: a
    thumb that bears on three comparisons is one thumb. `row` tells the labels as given, `features` are those of the item.
    """

    item: Ints
    voice: Ints
    rater: Ints
    source: Ints
    for_one: Truths
    said: Floats
    sign: Floats
    lean: Floats
    weight: Floats
    share: Floats
    row: Ints
    features: Floats

    def only(self, mine: Truths) -> "Labels":
        """Return some of the labels."""
        return Labels._make(column[mine] for column in self)


class Voice(NamedTuple):
    """One rater's labels of one kind, from the source that most of them came from."""

    rater: str
    kind: Kind
    source: int
    votes: int


class Problem(NamedTuple):
    """What people said and what judges said, and what there is to know: the comparisons, then the answers judged alone."""

    people: Labels
    judges: Labels
    voices: list[Voice]
    raters: tuple[str, ...]
    sources: tuple[str, ...]
    human: frozenset[int]
    compared: int
    alone: int

    @property
    def items(self) -> int:
        """How many things there are to know."""
        return self.compared + self.alone


def problem(votes: Votes, items: Items, thumbs: Thumbs | None, cap: float | None = None) -> Problem:
    """Return all labels in one form. `cap` is what the labels of one rater weigh at most, together.

    A rater's several labels on one thing share one vote, so that nobody counts twice by repeating themselves or is left
    with both sides; so do all of a judge's labels under its principles. A person's tie takes no side and weighs nothing.
    """
    raters, number = _joined(votes.raters, thumbs.raters if thumbs else ())
    sources, place = _joined(votes.sources, thumbs.sources if thumbs else ())
    human = frozenset(
        n for n, name in enumerate(sources) if name in votes.people or (thumbs and name in thumbs.sources)
    )
    parts, alone = [_pairs(votes, items)], 0
    if thumbs is not None and len(thumbs.answer):
        found, alone = _thumbs(thumbs, items)
        parts.append(
            found._replace(
                rater=number[found.rater], source=place[found.source], voice=len(raters) + number[found.rater]
            )
        )
    labels = Labels._make(np.concatenate(columns) for columns in zip(*parts, strict=True))
    labels, voices = _voices(labels, raters, len(sources))
    said_by_people = np.isin(labels.source, sorted(human))
    people, judges = labels.only(said_by_people), labels.only(~said_by_people)
    people = people._replace(weight=people.weight * (people.said != 0), share=people.share * (people.said != 0))
    return Problem(
        _capped(_once(people, people.voice, len(voices)), len(raters), cap),
        _capped(_once(judges, judges.source, len(sources)), len(raters), cap),
        voices, raters, sources, human, len(items.a), alone,
    )  # fmt: skip


def total(place: Ints, values: Floats | Truths, places: int) -> Floats:
    """Return the sum of the values of each place."""
    return np.bincount(place, values, places).astype(float)


def scaled(features: Floats) -> Floats:
    """Return features of unit size, as root mean squares; their sign stays that of the answers' order."""
    size = np.sqrt(np.mean(np.square(features), axis=0)) if len(features) else np.ones(features.shape[1])
    return np.asarray(features / np.where(size > 0, size, 1.0))


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[tuple[str, ...], Ints]:
    """Return both tuples of names as one, and where the names of the second stand in it."""
    names = dict.fromkeys([*first, *second])
    places = {name: n for n, name in enumerate(names)}
    return tuple(names), np.array([places[name] for name in second], dtype=np.int64)


def _pairs(votes: Votes, items: Items) -> Labels:
    rater, p = np.asarray(votes.rater, dtype=np.int64), np.asarray(votes.p, dtype=float)
    item, weight = np.asarray(votes.item, dtype=np.int64), np.asarray(votes.weight, dtype=float)
    return Labels(
        item=item, voice=rater, rater=rater, source=np.asarray(votes.source, dtype=np.int64), for_one=p > 0.5,
        said=_numbers(p, rater, len(votes.raters)), sign=np.ones(len(p)), lean=np.asarray(votes.order, dtype=float),
        weight=weight, share=weight, row=np.arange(len(p)), features=np.asarray(items.features, dtype=float)[item],
    )  # fmt: skip


def _numbers(p: Floats, rater: Ints, raters: int) -> Floats:
    """Return log-odds in units of their root mean square by rater; certain ones stay finite."""
    odds = np.log(np.clip(p, CERTAIN, 1 - CERTAIN) / np.clip(1 - p, CERTAIN, 1 - CERTAIN))
    size = np.sqrt(total(rater, odds**2, raters) / np.maximum(np.bincount(rater, minlength=raters), 1))
    return np.asarray(odds / np.where(size > 0, size, 1.0)[rater])


def _thumbs(thumbs: Thumbs, items: Items) -> tuple[Labels, int]:
    """Return thumbs as labels of every comparison of their answer, or of the answer alone; and how many of those there are."""
    answer, compared = np.asarray(thumbs.answer, dtype=np.int64), len(items.a)
    ends = np.concatenate([items.a, items.b]).astype(np.int64)
    order = np.argsort(ends, kind="stable")
    first = np.searchsorted(ends[order], answer, "left")
    times = np.searchsorted(ends[order], answer, "right") - first
    copies = np.maximum(times, 1)
    row = np.repeat(np.arange(len(answer)), copies)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(copies) - copies, copies)
    lone, numbers = np.unique(answer[times == 0], return_inverse=True)
    item, sign, inside = np.empty(len(row), dtype=np.int64), np.ones(len(row)), times[row] > 0
    end = order[(first[row] + nth)[inside]]
    item[inside], sign[inside] = end % max(compared, 1), np.where(end < compared, 1.0, -1.0)
    item[~inside] = compared + numbers
    up, weight = np.asarray(thumbs.up, dtype=bool)[row], np.asarray(thumbs.weight, dtype=float)[row]
    found = Labels(
        item=item, voice=thumbs.rater[row], rater=thumbs.rater[row], source=thumbs.source[row], for_one=up,
        said=np.where(up, 1.0, -1.0), sign=sign, lean=np.ones(len(row)), weight=weight, share=weight / copies[row],
        row=-1 - row, features=np.zeros((len(row), items.features.shape[1])),
    )  # fmt: skip
    return found, len(lone)


def _once(labels: Labels, who: Ints, number: int) -> Labels:
    """Return the labels so that those of one voice, or of one source of judges, on one item share one vote."""
    _, group, size = np.unique(labels.item * max(number, 1) + who, return_inverse=True, return_counts=True)
    times = size[group]
    return labels._replace(weight=labels.weight / times, share=labels.share / times)


def _capped(labels: Labels, raters: int, cap: float | None) -> Labels:
    if cap is None:
        return labels
    weighs = total(labels.rater, labels.share, raters)
    scale = np.minimum(1.0, cap / np.maximum(weighs, 1e-12))[labels.rater]
    return labels._replace(weight=labels.weight * scale, share=labels.share * scale)


def _voices(labels: Labels, raters: tuple[str, ...], sources: int) -> tuple[Labels, list[Voice]]:
    """Number the voices that say anything, and tell which source each mostly speaks through."""
    used, voice = np.unique(labels.voice, return_inverse=True)
    _, once = np.unique(labels.row, return_index=True)
    votes = np.bincount(voice[once], minlength=len(used))
    cells, size = np.unique(voice[once] * max(sources, 1) + labels.source[once], return_counts=True)
    mostly = np.zeros(len(used), dtype=np.int64)
    for cell in cells[np.argsort(size, kind="stable")]:
        mostly[cell // sources] = cell % sources
    voices = [
        Voice(raters[n % len(raters)], "pairs" if n < len(raters) else "thumbs", int(mostly[k]), int(votes[k]))
        for k, n in enumerate(used)
    ]
    return labels._replace(voice=voice), voices
