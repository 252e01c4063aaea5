"""Rows that say the very same, and rows that contradict each other."""

import numpy as np
import pyarrow.compute as pc

from caif.mixture.rows import Bools, Ints, Rows, crossed, numbered


def merged(rows: Rows) -> tuple[Rows, Bools, Bools]:
    """Return the rows with one of each left, those that added their weight to another row, and those that did not.

    Where a rater is named the same row again is the same opinion again. Where none is, each record of the product is an
    opinion of its own (`origin.raw`), and their weights add up.
    """
    same = numbered(rows.column("id"))
    record = np.where(_nameless(rows), 1 + numbered(rows.column("origin", "raw")), 0)
    opinion = crossed(same, record)
    first = _first(opinion, rows.kept)
    weight = np.bincount(same, np.where(first, rows.weight, 0.0), int(same.max(initial=-1)) + 1)[same]
    left = _first(same, rows.kept)
    adding = first & ~left & (record > 0)
    return rows.weighing(np.where(left, weight, rows.weight)).without(~left), adding, rows.kept & ~left & ~adding


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


def _nameless(rows: Rows) -> Bools:
    """Return which rows come from a record of a product, and from nobody in particular."""
    unnamed, recorded = pc.equal(rows.column("rater"), ""), pc.not_equal(rows.column("origin", "raw"), "")
    return np.asarray(pc.and_(unnamed, recorded).to_numpy(), dtype=bool)


def _first(groups: Ints, among: Bools) -> Bools:
    """Return which of some entries are the first of their group."""
    found = np.zeros(len(groups), dtype=bool)
    places = np.flatnonzero(among)
    found[places[np.unique(groups[places], return_index=True)[1]]] = True
    return found
