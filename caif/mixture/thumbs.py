"""Pairs from thumbs (METHODS 4.7): two different answers to one prompt under one objective, one liked and one disliked."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from caif.data import Preference
from caif.mixture.ids import TEXT, ids
from caif.mixture.keys import answers, ranks
from caif.mixture.origins import joined_names, origins
from caif.mixture.rows import (
    Bools,
    Floats,
    Hashes,
    Ints,
    Links,
    Rows,
    crossed,
    large_schema,
    numbered,
    of_table,
    replaced,
    spans,
)

EVEN = 1e-9
"""Thumbs whose weights differ by no more than this are as many up as down: 0.1 + 0.2 is 0.3."""
DERIVED = "thumbs up and down"
"""The rater of a pair that was made of thumbs."""


class Paired(NamedTuple):
    """Pairs made of thumbs, which thumbs stand behind them, and each pair with each of its thumbs, by their numbers."""

    pairs: Rows
    used: Bools
    links: Links


def pair_thumbs(thumbs: Rows, limit: int) -> Paired:
    """Return the pairs that thumbs up and down give, `limit` of a prompt and objective at most.

    An answer with as many thumbs up as down is neither liked nor disliked. A thumb that became part of a pair is not
    counted again; the others stay thumbs. A pair weighs what its weaker answer's thumbs weigh on average, divided by the
    number of pairs that an answer is in.
    """
    place = np.flatnonzero(thumbs.kept)
    some = thumbs.take(place)
    keys = answers(some, "completion")
    objective = numbered(some.column("objective"))
    answer = crossed(numbered(keys), objective)
    shown = np.unique(answer, return_index=True)[1]  # a thumb of each answer
    spot = crossed(numbered(some.column("prompt", "id")), objective)[shown]
    balance, mean = _weighed(some, answer)
    good, bad, share = matched(spot, balance, ranks(keys)[shown], limit)
    behind = _behind(answer, good, bad)
    pairs = _pairs(some, shown[good], shown[bad], np.minimum(mean[good], mean[bad]) * share, behind)
    used = np.zeros(thumbs.size, dtype=bool)
    used[place[behind[1]]] = True
    return Paired(pairs, used, (behind[0], place[behind[1]]))


def _weighed(thumbs: Rows, answer: Ints) -> tuple[Floats, Floats]:
    """Return the balance and the mean weight of each answer's thumbs, added up in an order that no file has."""
    signed = np.where(thumbs.column("up").to_numpy(), thumbs.weight, -thumbs.weight)
    order = np.lexsort((signed, answer))
    count = np.bincount(answer)
    balance = np.bincount(answer[order], signed[order], len(count))
    return np.asarray(balance, dtype=np.float64), np.bincount(answer[order], np.abs(signed[order]), len(count)) / count


def matched(spot: Ints, balance: Floats, order: Hashes, limit: int) -> tuple[Ints, Ints, Floats]:
    """Return liked answers, disliked answers of the same spot, and the share of each pair: at most `limit` pairs a spot.

    Answers take turns, so that each is in about as many pairs, and no pair comes twice. `order` is that of the turns.
    """
    sides = [np.flatnonzero(balance > EVEN), np.flatnonzero(balance < -EVEN)]
    sides = [side[np.lexsort((order[side], spot[side]))] for side in sides]
    spots = int(spot.max(initial=-1)) + 1
    good, bad = (np.bincount(spot[side], minlength=spots) for side in sides)
    many = np.minimum(good * bad, limit)
    where, turn = spans(many)
    liked = np.cumsum(good) - good
    disliked = np.cumsum(bad) - bad
    shift = turn // np.lcm(good, bad)[where]
    share = 1 / np.ceil(many / np.maximum(np.minimum(good, bad), 1))[where]
    return sides[0][liked[where] + turn % good[where]], sides[1][disliked[where] + (turn + shift) % bad[where]], share


def _behind(answer: Ints, good: Ints, bad: Ints) -> Links:
    """Return each pair with each thumb on either of its answers."""
    order = np.argsort(answer, kind="stable")
    count = np.bincount(answer)
    start = np.cumsum(count) - count
    ends = np.concatenate([good, bad])
    entry, nth = spans(count[ends])
    return entry % max(len(good), 1), order[start[ends[entry]] + nth]


def _pairs(thumbs: Rows, good: Ints, bad: Ints, weight: Floats, behind: Links) -> Rows:
    """Return the pairs as rows; their sources are those of all thumbs behind them, their time that of the last one."""
    liked, disliked = thumbs.table.take(pa.array(good)), thumbs.table.take(pa.array(bad))
    count = len(good)
    columns = {
        "id": [""] * count, "prompt": liked["prompt"], "chosen": liked["completion"], "rejected": disliked["completion"],
        "probability": np.ones(count), "weight": weight, "objective": liked["objective"], "principle": [""] * count,
        "source": joined_names(thumbs.column("source"), behind, count), "rater": [DERIVED] * count,
        "resolution": [""] * count, "origin": origins(thumbs, behind, count),
    }  # fmt: skip
    table = pa.Table.from_pydict(columns, large_schema(Preference))
    return of_table(Preference, replaced(table, id=ids(Preference, table).cast(TEXT)))
