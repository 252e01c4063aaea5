"""What is told of the fit: each item's probability and weight, and a row for every rater and every source.

Agreement and trust are leave-one-out: what a rater is trusted for on one item is what everybody else says of the other
items on which they spoke, so no label vouches for itself. Of a judge, everybody else is everybody of another source.
"""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from caif.raters.labels import Labels, Problem, Truths, total
from caif.raters.likelihood import sigmoid
from caif.raters.model import Fit
from caif.raters.votes import Floats, Fused, Ints, RaterRow, SourceRow

Z = NormalDist().inv_cdf(0.975)
TRUST, VOTES = 0.5, 5.0
"""How far a rater is trusted before anything is known, and how many votes that belief is worth."""
SUREST = 0.95
"""Nobody is trusted further than this."""


class Borne(NamedTuple):
    """By voice how many votes the others bear out and how many could be compared; by label its trust.

    `gained` and `known` are the same beyond chance: where the others are of two minds, agreeing with them shows little, and
    a rater who is always right gains all that is known there. So their quotient is the trust, 2 P(right) - 1.
    """

    agreed: Floats
    compared: Floats
    gained: Floats
    known: Floats
    trust: Floats

    def and_(self, other: "Borne") -> "Borne":
        """Return the sums by voice of two; voices are in one of them."""
        agreed, compared, gained, known = (one + two for one, two in zip(self[:4], other[:4], strict=True))
        return Borne(agreed, compared, gained, known, np.zeros(0))


def fused(task: Problem, found: Fit) -> Fused:
    """Return what is believed of items, raters and sources."""
    people = _borne(task, found, task.people, found.people, task.people.rater)
    judges = _borne(task, found, task.judges, found.judges, task.judges.source)
    doubt = _doubt(task, task.people, people) + _doubt(task, task.judges, judges)
    odds = found.odds[: task.compared]
    rows = _raters(task, found, people.and_(judges))
    return Fused(sigmoid(odds), 1 - np.exp(doubt[: task.compared]), rows, _sources(task, found))


def _doubt(task: Problem, labels: Labels, borne: Borne) -> Floats:
    """Return the log of the probability that none of an item's labels is to be trusted."""
    return total(labels.item, labels.weight * np.log1p(-borne.trust), task.items)


def _borne(task: Problem, found: Fit, labels: Labels, said: Floats, who: Ints) -> Borne:
    """Return what others bear out; `who` numbers those whose word does not count for one another."""
    cells, group = np.unique(labels.item * (1 + who.max(initial=0)) + who, return_inverse=True)

    def of_group(values: Floats | Truths) -> Floats:
        return total(group, values, len(cells))[group]

    chance = sigmoid(found.odds[labels.item] - of_group(said))
    spoke = total(task.people.item, task.people.weight > 0, task.items)
    spoke += total(task.judges.item, task.judges.weight > 0, task.items)
    counted = labels.share * (spoke[labels.item] > of_group(labels.weight > 0))
    match = np.where(labels.for_one == (labels.sign > 0), chance, 1 - chance)
    gained, known = counted * (2 * match - 1), counted * (2 * chance - 1) ** 2
    sums = [total(labels.voice, values, len(task.voices)) for values in (counted * match, counted, gained, known)]
    usual = _shrunk(task, sums[2], sums[3])[1][labels.voice]
    rest, size = (whole[labels.voice] - of_group(mine) for whole, mine in zip(sums[2:], (gained, known), strict=True))
    trust = (rest + VOTES * usual) / (np.maximum(size, 0) + VOTES)
    return Borne(sums[0], sums[1], sums[2], sums[3], np.clip(trust, 0.0, SUREST))


def _shrunk(task: Problem, gained: Floats, known: Floats) -> tuple[Floats, Floats]:
    """Return each voice's trust, shrunk to what is usual in its source, and that."""
    source = np.array([voice.source for voice in task.voices], dtype=np.int64)
    over, under = (total(source, values, len(task.sources)) for values in (gained, known))
    usual = ((over + VOTES * TRUST) / (under + VOTES))[source]
    return (gained + VOTES * usual) / (known + VOTES), usual


def _raters(task: Problem, found: Fit, borne: Borne) -> list[RaterRow]:
    trust = np.clip(_shrunk(task, borne.gained, borne.known)[0], 0.0, SUREST)
    agreed, compared = borne.agreed, borne.compared
    share = total(task.people.voice, task.people.share, len(task.voices))
    share += total(task.judges.voice, task.judges.share, len(task.voices))
    up, normal, rows = _up(task), NormalDist(), []
    for n, voice in enumerate(task.voices):
        slope, error = float(found.voices.slope[n]), float(found.error[n])
        rows.append(RaterRow(
            voice.rater, voice.kind, task.sources[voice.source], voice.votes, up[n],
            float(agreed[n] / compared[n]) if compared[n] > 0 else None, round(float(compared[n])),
            slope, slope - Z * error, slope + Z * error, normal.cdf(-slope / error), float(found.voices.leniency[n]),
            float(found.voices.spam[n]), float(trust[n]), float(trust[n] * share[n]),
        ))  # fmt: skip
    return sorted(rows, key=lambda row: (-row.votes, row.rater, row.kind))


def _up(task: Problem) -> list[float | None]:
    """Return the share of thumbs up, or of votes for the answer shown first where that is known."""
    known, said = (np.zeros(len(task.voices)) for _ in range(2))
    for labels in (task.people, task.judges):
        _, once = np.unique(labels.row, return_index=True)
        voice, lean, one = labels.voice[once], labels.lean[once], labels.for_one[once]
        known += total(voice, lean != 0, len(known))
        said += total(voice, (lean != 0) & (one == (lean > 0)), len(known))
    return [float(s / k) if k else None for s, k in zip(said, known, strict=True)]


def _sources(task: Problem, found: Fit) -> list[SourceRow]:
    rows = [np.unique(some.row, return_index=True)[1] for some in (task.people, task.judges)]
    said = np.concatenate([task.people.source[rows[0]], task.judges.source[rows[1]]])
    votes = np.bincount(said, minlength=len(task.sources))
    return [
        SourceRow(name, int(votes[n]), n in task.human, tuple(map(float, found.voices.bias[n])))
        for n, name in enumerate(task.sources)
    ]
