"""Rows that say the very same, and rows that contradict each other."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from caif.mixture.ids import ids
from caif.mixture.rows import Bools, Ints, Rows, crossed, floats, named, numbered, replaced
from caif.mixture.shares import judged


def firsts(rows: Rows) -> Ints:
    """Return for each row the one that is to stand for its opinion: itself, or one that gives the same opinion.

    A named person's same label is the same opinion again, and a product's same record (`origin.raw`, of one time) is,
    whichever source gives it: exports overlap. The heaviest stands for all, of equal ones that of the source which comes first by its name.
    """
    opinion = _opinions(rows)
    codes, names = named(rows.column("source"))
    place = np.argsort(np.argsort(np.array(names, dtype=object)))
    order = np.lexsort((np.arange(rows.size), place[codes], -rows.weight, opinion))
    order = order[rows.kept[order]]
    found = np.arange(rows.size)
    starts = np.unique(opinion[order], return_index=True)[1]
    found[order] = np.repeat(order[starts], np.diff(np.append(starts, len(order))))
    return found


def summed(rows: Rows) -> tuple[Rows, Bools]:
    """Return the rows with one of each left, which weighs what all of them do, and those that added their weight to it."""
    same = numbered(rows.column("id"))
    weight = np.bincount(same, np.where(rows.kept, rows.weight, 0.0), int(same.max(initial=-1)) + 1)[same]
    left = _first(same, rows.kept)
    return rows.weighing(np.where(left, weight, rows.weight)).without(~left), rows.kept & ~left


def contradictory(rows: Rows, about: Ints) -> Bools:
    """Return which rows are about something on which those that are in disagree. A tie takes no side.

    `about` numbers what rows are about: a comparison under an objective.
    """
    side = chose_first(rows)
    decided = rows.kept & (rows.column("probability").to_numpy() != 0.5)
    times = [np.bincount(about, decided & (side == which), int(about.max(initial=-1)) + 1) for which in (True, False)]
    return np.asarray((times[0] > 0) & (times[1] > 0))[about]


def chose_first(rows: Rows) -> Bools:
    """Return whether each row prefers the answer that comes first in the alphabet, which is the same one for all."""
    return np.asarray(pc.less_equal(*rows.answers).to_numpy(), dtype=bool)


def _opinions(rows: Rows) -> Ints:
    """Return a number for each opinion: what is said, by whom or in which record; and in which source, where neither is known."""
    raw, rater = rows.column("origin", "raw"), rows.column("rater")
    person = _flags(pc.not_equal(rater, "")) & ~judged(rows)
    at = np.unique(np.nan_to_num(floats(rows.column("origin", "at")), nan=-1.0), return_inverse=True)[1]
    record = np.where(person, 0, crossed(numbered(raw), at) + 1) * _flags(pc.not_equal(raw, ""))
    same = numbered(rows.column("id"))
    elsewhere = _of_several_sources(rows) & (person | (record > 0))
    if elsewhere.any():
        blank = replaced(rows.table.filter(pa.array(elsewhere)), source="")
        same[elsewhere] = rows.size + numbered(pa.chunked_array([ids(rows.kind, blank)]))
    return crossed(same, record)


def _of_several_sources(rows: Rows) -> Bools:
    """Return which rows have a prompt that another source has too: only these can say the same as a row of another one."""
    prompt, source = numbered(rows.column("prompt", "id")), numbered(rows.column("source"))
    once = np.unique(np.stack([prompt, source]), axis=1)[0]
    return np.asarray((np.bincount(once) > 1)[prompt])


def _flags(values: pa.ChunkedArray) -> Bools:
    return np.asarray(values.to_numpy(), dtype=bool)


def _first(groups: Ints, among: Bools) -> Bools:
    """Return which of some entries are the first of their group."""
    found = np.zeros(len(groups), dtype=bool)
    places = np.flatnonzero(among)
    found[places[np.unique(groups[places], return_index=True)[1]]] = True
    return found
