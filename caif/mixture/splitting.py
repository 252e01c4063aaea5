"""Which rows are held out: whole conversations, and whatever hangs together with them, on one side."""

from collections.abc import Collection, Sequence
from random import Random
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from caif.content import as_json
from caif.data import Preference, Prompt
from caif.mixture.boilerplate import BUILT
from caif.mixture.fused import FUSED
from caif.mixture.groups import connected
from caif.mixture.ids import BATCH, hashed, in_hex, join, quoted
from caif.mixture.keys import KEY, key, opening_texts, openings, ranks
from caif.mixture.rows import Bools, Ints, Links, Rows, named, numbered, spans
from caif.mixture.thumbs import DERIVED


class Sides(NamedTuple):
    """Which of the rows of each part are held out, and the share of all rows that the largest group has."""

    heldout: list[Bools]
    largest: float


def sides(
    parts: Sequence[Rows], near: Sequence[Links], asked: Collection[Prompt], by: Sequence[str], share: float, seed: int
) -> Sides:  # fmt: skip
    """Return the side of every row of every part.

    A row belongs with all that begin as it does; where `by` says so, with those of its product's conversation and of its
    rater too; with its near-duplicates (`near`, by part); and with those of the prompt that it borrows an answer of. Only
    rows that are in link others. A group is held out if the run holds out any of its prompts, and of all others by a draw
    that depends on how its conversations begin.
    """
    keys = pa.chunked_array([chunk for rows in parts for chunk in openings(rows).chunks], KEY)
    opening = numbered(keys)
    many = int(opening.max(initial=-1)) + 1
    live = np.concatenate([rows.kept for rows in parts])
    start = np.cumsum([0, *(rows.size for rows in parts)])
    links = [(opening[start[n] + one], opening[start[n] + other]) for n, (one, other) in enumerate(near)]
    links.append(_borrowed(parts, opening, keys, live, asked))
    size = many
    for name in by:
        if name != "prompt":
            found, size = _linked(parts, name, opening, live, size)
            links.append(found)
    one, other = (np.concatenate([np.zeros(0, dtype=np.int64), *(link[n] for link in links)]) for n in (0, 1))
    group = connected(size, one, other)[:many]
    out = np.zeros(size, dtype=bool)
    kept_out = pa.array([key(prompt.opening) for prompt in asked if prompt.split == "heldout"], KEY)
    out[group[opening[pc.is_in(keys, kept_out).to_numpy()]]] = True
    out[_drawn(parts, start, opening, keys, group, share, seed)] = True
    mine = group[opening]
    count = np.bincount(mine[live], minlength=1)
    heldout = np.split(out[mine], start[1:-1])
    return Sides(heldout, float(count.max() / max(count.sum(), 1)))


def _borrowed(
    parts: Sequence[Rows], opening: Ints, keys: pa.ChunkedArray, live: Bools, asked: Collection[Prompt]
) -> Links:
    """Return links from openings to those of the prompts, of the run or of other rows, that answers of theirs were given to."""
    codes, told = named(_told(parts, "origin", "borrowed"))
    names = [text.split("+") for text in told]
    wanted = {name for some in names for name in some} - {""}
    ids = _told(parts, "prompt", "id")
    lending = pc.is_in(ids, pa.array(sorted(wanted), pa.large_string()))
    lenders = dict(zip(ids.filter(lending).to_pylist(), keys.filter(lending).to_pylist(), strict=True))
    lenders |= {prompt.id: key(prompt.opening) for prompt in asked if prompt.id in wanted}
    all_openings = keys.take(pa.array(np.unique(opening, return_index=True)[1])).combine_chunks()
    places = pc.index_in(pa.array([lenders.get(name) for some in names for name in some], KEY), value_set=all_openings)
    count = np.array([len(some) for some in names], dtype=np.int64)
    whose, nth = spans(count[codes])
    lender = np.asarray(places.fill_null(-1).to_numpy(), dtype=np.int64)[(np.cumsum(count) - count)[codes][whose] + nth]
    linking = live[whose] & (lender >= 0)
    return opening[whose[linking]], lender[linking]


def _told(parts: Sequence[Rows], *column: str) -> pa.ChunkedArray:
    """Return a column of texts of all parts, one after the other."""
    return pa.chunked_array([chunk for rows in parts for chunk in rows.column(*column).chunks], pa.large_string())


def _linked(parts: Sequence[Rows], name: str, opening: Ints, live: Bools, size: int) -> tuple[Links, int]:
    """Return links from openings to what else rows have in common, numbered from `size` on, and how many there are now."""
    column = {"conversation": ("origin", "conversation"), "rater": ("rater",)}[name]
    names = _told(parts, *column)
    codes = numbered(names)
    linking = live & np.asarray(pc.not_equal(names, "").to_numpy(), dtype=bool)
    if name == "rater":
        linking &= np.concatenate([_peoples(rows) for rows in parts])
    return (opening[linking], size + codes[linking]), size + int(codes.max(initial=-1)) + 1


def _peoples(rows: Rows) -> Bools:
    """Return which rows name a person: labels of judges and of construction name a principle, derived ones no one."""
    if rows.kind is not Preference:
        return np.ones(rows.size, dtype=bool)
    ours = pc.is_in(rows.column("rater"), pa.array([DERIVED, FUSED, BUILT], pa.large_string()))
    return np.asarray(pc.and_(pc.equal(rows.column("principle"), ""), pc.invert(ours)).to_numpy(), dtype=bool)


def _drawn(
    parts: Sequence[Rows], start: Ints, opening: Ints, keys: pa.ChunkedArray, group: Ints, share: float, seed: int
) -> list[int]:
    """Return the groups that are drawn to be held out, each by the one of its openings whose key is the least."""
    first = np.unique(opening, return_index=True)[1]
    order = np.lexsort((ranks(keys)[first], group))
    speaks = np.zeros(len(opening), dtype=bool)
    speaks[first[order[np.flatnonzero(np.diff(group[order], prepend=-1))]]] = True
    out: list[int] = []
    for rows, begin in zip(parts, start, strict=False):
        mine, numbers = (column[begin : begin + rows.size] for column in (speaks, opening))
        for n in range(0, rows.size, BATCH):
            here = np.flatnonzero(mine[n : n + BATCH])
            messages = pc.struct_field(rows.table["prompt"].slice(n, BATCH), "messages").take(pa.array(here))
            drawn = held_out(opening_texts(messages.combine_chunks()), share, "combine", seed)
            out += group[numbers[n + here[drawn]]].tolist()
    return out


def held_out(openings: pa.Array, share: float, *seeds: object) -> Bools:
    """Return for a column of openings what `caif.content.held_out` draws for each: the JSON of all seeds is made at once."""
    before = as_json(["split", *map(str, seeds)])[:-1] + ","
    draw, found = Random(), []
    for seed in in_hex(hashed(join(before, quoted(openings), "]"))).to_pylist():
        draw.seed(seed)
        found.append(draw.random() < share)
    return np.array(found, dtype=bool)
