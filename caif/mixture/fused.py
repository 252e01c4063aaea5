"""One row for each comparison under an objective: what all labels of it together make likely, by `caif.raters`.

Labels enter with their rater's reliability and their source's bias estimated from all of them. Thumbs bear on the
comparisons of the answer they are on, and a pair that was made of thumbs is then a comparison and no label.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from caif.data import Preference
from caif.mixture.boilerplate import BUILT, refusals
from caif.mixture.duplicates import chose_first
from caif.mixture.keys import answers
from caif.mixture.origins import joined_names, origins
from caif.mixture.reading import ids
from caif.mixture.rows import (
    Bools,
    Floats,
    Ints,
    Links,
    Rows,
    crossed,
    floats,
    named,
    numbered,
    of_table,
    replaced,
    spans,
)
from caif.mixture.thumbs import DERIVED
from caif.raters.features import ITEM
from caif.raters.votes import Fused, Items, Thumbs, Votes, fuse

FUSED = "fused"
"""The rater of a row that says what all labels together make likely."""


class Together(NamedTuple):
    """The fused rows, which thumbs are in them, and each row with the pairs and with the thumbs behind it."""

    rows: Rows
    used: Bools
    pairs: Links
    thumbs: Links


def fuse_rows(pairs: Rows, thumbs: Rows, about: Ints) -> Together:
    """Return one row for each thing that pairs which are in are about; thumbs are those that have a say.

    `about` numbers the comparisons under their objectives.
    """
    place = np.flatnonzero(pairs.kept)
    some = pairs.take(place)
    _, shown, item = np.unique(about[place], return_index=True, return_inverse=True)
    first = chose_first(some)
    chosen, rejected, voted = _answers(some, thumbs)
    a, b = np.where(first, chosen, rejected)[shown], np.where(first, rejected, chosen)[shown]
    shows = some.take(shown)
    items = Items(a, b, features(*shows.answers) * np.where(first[shown], 1.0, -1.0)[:, None])
    bears = np.isin(voted, np.concatenate([a, b])) & thumbs.kept
    found = fuse(_votes(some, item, first), items, _thumbs(thumbs, voted, bears))
    bearing = _bearing(a, b, voted, bears)
    table = _table(shows, first[shown], found, _about(some, thumbs, item, bearing, len(shown)))
    return Together(of_table(Preference, table), bears, (item, place), bearing)


def _answers(pairs: Rows, thumbs: Rows) -> tuple[Ints, Ints, Ints]:
    """Number the answers under their objectives: the chosen ones, the rejected ones, and those that thumbs are on."""
    columns = [answers(pairs, "chosen"), answers(pairs, "rejected"), answers(thumbs, "completion")]
    objectives = [pairs.column("objective"), pairs.column("objective"), thumbs.column("objective")]
    number = crossed(*(numbered(_one(parts)) for parts in (columns, objectives)))
    chosen, rejected, voted = np.split(number, [pairs.size, 2 * pairs.size])
    return chosen, rejected, voted


def _one(parts: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)


def features(a: pa.ChunkedArray, b: pa.ChunkedArray) -> Floats:
    """Return what sources may be biased by, of each answer a against b: `caif.raters.features.style`, all at once."""

    def logs(counts: pa.ChunkedArray) -> Floats:
        return np.log1p(counts.to_numpy().astype(np.float64))

    lists = [logs(pc.count_substring_regex(texts, f"(?m){ITEM.pattern}")) for texts in (a, b)]
    lengths = [logs(pc.utf8_length(texts)) for texts in (a, b)]
    refused = [refusals(texts).astype(np.float64) for texts in (a, b)]
    return np.stack([one - other for one, other in (lengths, lists, refused)], axis=1)


def _votes(pairs: Rows, item: Ints, first: Bools) -> Votes:
    """Return what pairs say of their items. A judge under a principle is a rater; who is nobody is their source."""
    said = pairs.column("probability").to_numpy()
    rater, principle, source = (pairs.column(name) for name in ("rater", "principle", "source"))
    voice = pc.if_else(pc.equal(rater, ""), source, rater)
    voice = pc.if_else(
        pc.equal(principle, ""), voice, pc.binary_join_element_wise(voice, principle, pa.scalar("|", pa.large_string()))
    )
    voices, raters = named(voice)
    sources, names = named(source)
    built = np.asarray(pc.or_(pc.not_equal(principle, ""), pc.equal(rater, BUILT)).to_numpy(), dtype=bool)
    place = pc.index_in(pairs.column("origin", "order"), pa.array(["second", "", "first"], pa.large_string()))
    stood = np.nan_to_num(place.to_numpy(), nan=1.0) - 1
    label = np.asarray(pc.not_equal(rater, DERIVED).to_numpy(), dtype=bool)
    weight = np.where(pc.equal(principle, "").to_numpy(), pairs.weight, _multiplied(pairs))
    people = frozenset(name for n, name in enumerate(names) if not built[sources == n].any())
    return Votes(
        item=item[label], rater=voices[label], source=sources[label], p=np.where(first, said, 1 - said)[label],
        weight=weight[label], order=np.where(first, stood, -stood)[label].astype(np.int64),
        raters=tuple(raters), sources=tuple(names), people=people,
    )  # fmt: skip


def _multiplied(pairs: Rows) -> Floats:
    """Return by what each row's weight was multiplied since it was given: how a labeler shares a comparison out is not weighed."""
    given = floats(pairs.column("weight"))
    return np.divide(pairs.weight, given, out=np.zeros(pairs.size), where=given > 0)


def _thumbs(thumbs: Rows, answer: Ints, bears: Bools) -> Thumbs | None:
    some = thumbs.take(np.flatnonzero(bears))
    if not some.size:
        return None
    rater, source = some.column("rater"), some.column("source")
    voices, raters = named(pc.if_else(pc.equal(rater, ""), source, rater))
    sources, names = named(source)
    up = np.asarray(some.column("up").to_numpy(), dtype=bool)
    return Thumbs(answer[bears], voices, sources, up, some.weight, tuple(raters), tuple(names))


def _about(pairs: Rows, thumbs: Rows, item: Ints, bearing: Links, count: int) -> dict[str, Any]:
    """Return what each row says of where it comes from: the names of all that is behind it, and what labels cost."""
    label = np.flatnonzero(pc.not_equal(pairs.column("rater"), DERIVED).to_numpy())
    sources = _one([pairs.column("source"), thumbs.column("source")])
    everyone = np.concatenate([item[label], bearing[0]]), np.concatenate([label, pairs.size + bearing[1]])
    behind = item, np.arange(pairs.size)
    return {
        "source": joined_names(sources, everyone, count), "principle": joined_names(pairs.column("principle"), behind, count),
        "origin": origins(pairs, behind, count),
    }  # fmt: skip


def _table(shown: Rows, first: Bools, found: Fused, about: dict[str, Any]) -> pa.Table:
    chosen, rejected = shown.answers
    turned = pa.array((found.p >= 0.5) != first)
    table = replaced(
        shown.table, chosen=pc.if_else(turned, rejected, chosen), rejected=pc.if_else(turned, chosen, rejected),
        probability=np.maximum(found.p, 1 - found.p), weight=found.weight, rater=FUSED, resolution="", **about,
    )  # fmt: skip
    return replaced(table, id=ids(Preference, table))


def _bearing(a: Ints, b: Ints, voted: Ints, bears: Bools) -> Links:
    """Return each row with each thumb on either of its answers."""
    ends, thumbs = np.concatenate([a, b]), np.flatnonzero(bears)
    order = np.argsort(ends, kind="stable")
    start = np.searchsorted(ends[order], voted[thumbs])
    thumb, nth = spans(np.searchsorted(ends[order], voted[thumbs], "right") - start)
    return order[start[thumb] + nth] % max(len(a), 1), thumbs[thumb]
