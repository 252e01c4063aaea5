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
from caif.mixture.ids import BATCH, TEXT, ids
from caif.mixture.keys import answers
from caif.mixture.origins import joined_names, origins
from caif.mixture.reading import turned
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
    replaced,
    spans,
)
from caif.mixture.thumbs import DERIVED
from caif.raters.features import ITEM
from caif.raters.votes import Items, Thumbs, Votes, fuse

FUSED = "fused"
"""The rater of a row that says what all labels together make likely."""


class Together(NamedTuple):
    """The fused rows, which thumbs are in them, and each row with the pairs and with the thumbs behind it.

    `rows` are the pairs themselves, of which the first about each thing is in and says what all say together: so their
    texts are held once. Whether its chosen answer is the likelier one is left to the writing (`turned`); its id is that
    of the row that is written.
    """

    rows: Rows
    used: Bools
    pairs: Links
    thumbs: Links


def fuse_rows(pairs: Rows, thumbs: Rows, about: Ints) -> Together:
    """Return one row for each thing that pairs which are in are about; thumbs are those that have a say.

    `about` numbers the comparisons under their objectives.
    """
    places = np.flatnonzero(pairs.kept)
    _, begins, thing = np.unique(about[places], return_index=True, return_inverse=True)
    shown, item = places[begins], np.zeros(pairs.size, dtype=np.int64)
    item[places] = thing
    first = chose_first(pairs)
    chosen, rejected, voted = _answers(pairs, thumbs)
    a, b = np.where(first, chosen, rejected)[shown], np.where(first, rejected, chosen)[shown]
    items = Items(a, b, (features(*pairs.answers) * np.where(first, 1.0, -1.0)[:, None])[shown])
    bears = np.isin(voted, np.concatenate([a, b])) & thumbs.kept
    found = fuse(_votes(pairs, item, first), items, _thumbs(thumbs, voted, bears))
    behind, bearing = (item[places], places), _bearing(a, b, voted, bears)
    likely, weight = np.where(first, found.p[item], 1 - found.p[item]), np.asarray(found.weight[item], dtype=np.float64)
    rows = _said(pairs, shown, likely, weight, _about(pairs, thumbs, behind, bearing, item))
    return Together(rows, bears, (shown[behind[0]], places), (shown[bearing[0]], bearing[1]))


def _said(pairs: Rows, shown: Ints, probability: Floats, weight: Floats, about: dict[str, Any]) -> Rows:
    """Return the pairs of which those that are shown say what all say together."""
    table = replaced(pairs.table, probability=probability, weight=weight, rater=FUSED, resolution="", **about)
    kept = np.zeros(pairs.size, dtype=bool)
    kept[shown] = True
    names, start = [], 0
    for batch in table.to_batches(max_chunksize=BATCH):
        here = pa.array(kept[start : start + batch.num_rows])
        nameless = pa.repeat(pa.scalar("", TEXT), batch.num_rows)
        names.append(pc.replace_with_mask(nameless, here, ids(Preference, turned(batch.filter(here))).cast(TEXT)))
        start += batch.num_rows
    return Rows(Preference, replaced(table, id=pa.chunked_array(names, TEXT)), weight, kept)


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
        return np.asarray(np.log1p(counts.to_numpy().astype(np.float64)))

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
    label = pairs.kept & np.asarray(pc.not_equal(rater, DERIVED).to_numpy(), dtype=bool)
    weight = np.where(pc.equal(principle, "").to_numpy(), pairs.weight, _multiplied(pairs))
    people = frozenset(name for n, name in enumerate(names) if not built[(sources == n) & pairs.kept].any())
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


def _about(pairs: Rows, thumbs: Rows, behind: Links, bearing: Links, item: Ints) -> dict[str, Any]:
    """Return what each row says of where it comes from: the names of all that is behind its thing, and what labels cost."""
    count, thing = int(item.max(initial=-1)) + 1, pa.array(item)
    label = np.asarray(pc.not_equal(pairs.column("rater"), DERIVED).to_numpy(), dtype=bool)[behind[1]]
    sources = _one([pairs.column("source"), thumbs.column("source")])
    everyone = (
        np.concatenate([behind[0][label], bearing[0]]),
        np.concatenate([behind[1][label], pairs.size + bearing[1]]),
    )
    return {
        "source": joined_names(sources, everyone, count).take(thing),
        "principle": joined_names(pairs.column("principle"), behind, count).take(thing),
        "origin": origins(pairs, behind, count).take(thing),
    }


def _bearing(a: Ints, b: Ints, voted: Ints, bears: Bools) -> Links:
    """Return each row with each thumb on either of its answers."""
    ends, thumbs = np.concatenate([a, b]), np.flatnonzero(bears)
    order = np.argsort(ends, kind="stable")
    start = np.searchsorted(ends[order], voted[thumbs])
    thumb, nth = spans(np.searchsorted(ends[order], voted[thumbs], "right") - start)
    return order[start[thumb] + nth] % max(len(a), 1), thumbs[thumb]
