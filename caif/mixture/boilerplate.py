"""Refusals by habit: answers chosen or liked that begin as "As an AI language model" does, where nothing had to be refused.

Labels that prefer them teach where the words go, not when to refuse (METHODS 9). A refusal is justified on a prompt that
is tagged unsafe, and where a judge found it better under an objective that speaks of harm.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from caif.data import Preference, Rating
from caif.mixture.keys import answers
from caif.mixture.rows import Bools, Rows
from caif.text import REFUSAL, refuses

START = 200
BUILT = "construction"
"""The rater of a label that comes from how its answers were made, and from no judge."""


def refusals(texts: pa.ChunkedArray) -> Bools:
    """Return which texts begin as refusals do. A quick search finds all that could, `refuses` says which do."""
    starts = pc.replace_substring(pc.utf8_slice_codeunits(texts, 0, START), "\u2019", "'")
    found = np.array(pc.match_substring_regex(starts, REFUSAL.pattern, ignore_case=True).to_numpy(), dtype=bool)
    places = np.flatnonzero(found)
    found[places] = [refuses(text) for text in texts.take(pa.array(places)).to_pylist()]
    return found


def backed(pairs: Rows, objectives: Sequence[str]) -> pa.Array:
    """Return the keys of the answers that a judge preferred, under one of some objectives, to another."""
    spoken = pc.and_(
        pc.is_in(pairs.column("objective"), pa.array(objectives, pa.large_string())),
        pc.not_equal(pairs.column("principle"), ""),
    )
    judged = pc.and_(
        spoken, pc.and_(pc.not_equal(pairs.column("rater"), BUILT), pc.greater(pairs.column("probability"), 0.5))
    )
    places = np.flatnonzero(np.asarray(judged.to_numpy(), dtype=bool) & pairs.kept)
    return answers(pairs.take(places), "chosen").combine_chunks()


def unjustified(rows: Rows, justified: pa.Array, tags: Sequence[str]) -> Bools:
    """Return which rows prefer a refusal that neither a judge's label nor the prompt's tags justify."""
    name = "chosen" if rows.kind is Preference else "completion"
    wrong = refusals(rows.column(name)) & rows.kept
    if rows.kind is Rating:
        wrong &= np.asarray(rows.column("up").to_numpy(), dtype=bool)
    places = np.flatnonzero(wrong)
    some = rows.take(places)
    unsafe = [bool(set(tags) & set(found)) for found in some.column("prompt", "tags").to_pylist()]
    wrong[places] = ~(
        np.array(unsafe, dtype=bool) | np.asarray(pc.is_in(answers(some, name), justified).to_numpy(), dtype=bool)
    )
    return wrong
