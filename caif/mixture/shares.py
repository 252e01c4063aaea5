"""How much each source and prompt weighs: caps, at most so many pairs a prompt, target shares, effective sample size."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow.compute as pc

from caif.data import Preference
from caif.mixture.keys import drawn
from caif.mixture.rows import Bools, Floats, Ints, Rows, crossed, named, numbered


def over_cap(rows: Rows, cap: int, seed: int) -> Bools:
    """Return which rows are over a cap. Which ones are kept depends on their content, not on their order."""
    return over_limit(rows, np.zeros(rows.size, dtype=np.int64), cap, seed)


def over_person(rows: Rows, limit: int, seed: int) -> Bools:
    """Return which rows are over a limit of rows a person. Who is nobody, and a judge, is not a person."""
    rater = rows.column("rater")
    nobody = np.asarray(pc.equal(rater, "").to_numpy(), dtype=bool)
    return over_limit(rows.without(nobody | judged(rows)), numbered(rater), limit, seed)


def judged(rows: Rows) -> Bools:
    """Return which rows were labelled under a principle, which people are not asked to do."""
    if rows.kind is not Preference:
        return np.zeros(rows.size, dtype=bool)
    return np.asarray(pc.not_equal(rows.column("principle"), "").to_numpy(), dtype=bool)


def over_limit(rows: Rows, group: Ints, limit: int, seed: int) -> Bools:
    """Return which rows are over a limit of rows a group, chosen by their content alone."""
    crowded = np.bincount(group, rows.kept)[group] > limit if rows.size else rows.kept
    places = np.flatnonzero(rows.kept & crowded)
    places = places[np.lexsort((drawn(rows, seed, places), group[places]))]
    several = group[places]
    begins = np.flatnonzero(np.concatenate([[True], several[1:] != several[:-1]])) if len(places) else places
    sizes = np.diff(np.append(begins, len(places)))
    nth = np.arange(len(places)) - np.repeat(begins, sizes)
    gone = np.zeros(rows.size, dtype=bool)
    gone[places[nth >= limit]] = True
    return gone


def balanced(rows: Rows) -> Rows:
    """Return the rows so that all pairs of one prompt under one objective weigh as much as one (METHODS 4.7)."""
    group = crossed(numbered(rows.column("prompt", "id")), numbered(rows.column("objective")))
    times = np.bincount(group, rows.kept)[group] if rows.size else rows.weight
    return rows.weighing(rows.weight / np.maximum(times, 1))


def factors(weights: Mapping[str, float], shares: Mapping[str, float], limit: float) -> dict[str, float]:
    """Return by what to multiply each source's weights so that it has its share of all.

    Sources without a share keep their weights and are the rest; where there is no rest, shares are of one another. No
    factor is above `limit` or below one over it.
    """
    wanted = {name: share for name, share in shares.items() if weights.get(name, 0) > 0}
    rest = sum(weight for name, weight in weights.items() if name not in shares)
    asked = sum(wanted.values())
    whole = rest / (1 - asked) if rest > 0 and asked < 1 else sum(weights.values()) / asked if asked else 0.0
    return {name: float(np.clip(share * whole / weights[name], 1 / limit, limit)) for name, share in wanted.items()}


def by_source(parts: Sequence[tuple[Rows, Bools]]) -> dict[str, float]:
    """Return what the chosen ones of some rows weigh, source by source; a row of several is each one's in equal parts."""
    found: dict[str, float] = {}
    for rows, chosen in parts:
        codes, names = named(rows.column("source"))
        total = np.bincount(codes[chosen], rows.weight[chosen], len(names))
        for name, weight in zip(names, total.tolist(), strict=True):
            for one in (several := name.split("+")):
                found[one] = found.get(one, 0.0) + weight / len(several)
    return found


def scaled(rows: Rows, factor: Mapping[str, float]) -> Rows:
    """Return the rows with each source's weights multiplied: of a row of several sources, each one's part of the weight."""
    codes, names = named(rows.column("source"))
    by_name = np.array([np.mean([factor.get(one, 1.0) for one in name.split("+")]) for name in names])
    return rows.weighing(rows.weight * by_name[codes]) if rows.size else rows


def effective(weights: Floats) -> float:
    """Return how many rows of one weight know as much: (sum w)^2 / sum w^2 (Kish 1965)."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0
