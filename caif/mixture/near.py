"""Near-duplicates among comparisons, by MinHash and locality-sensitive hashing: a changed word, another capital letter.

Two comparisons are near-duplicates if their prompts are alike and their answers are, taken together in either order.
Both are needed: under one long instruction prompts are all alike, and "Yes" and "No" answer a thousand questions.
"""

from collections.abc import Iterator
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from caif.mixture.ahead import ahead
from caif.mixture.rows import Floats, Ints, Links, Rows
from caif.mixture.words import BASE, Runs, in_rows, runs, together, words

WORDS = 3
"""A text is the set of its runs of three words; how alike two are is the share of runs they have in common (Jaccard)."""
HASHES = 64
"""Smallest hashes kept of a text: the share of equal ones estimates the likeness, within 0.06."""
BANDS = 32
"""Two hashes of the prompt and two of the answers make a band; what agrees in one of 32 bands is looked at. At a likeness
of 0.8 in both that misses one of 10 million, at 0.7 one of 6,000."""
SEED = 1
BATCH = 20_000
PART = 500
"""Texts whose signatures are made together: they come as Python's numbers, and so many of them fit into the cache."""

Signatures = NDArray[np.uint32]


def near_duplicates(rows: Rows, place: Ints, alike: float) -> Links:
    """Return links between near-duplicates among the comparisons that the rows at `place` show, as numbers into `place`."""
    number = np.full(rows.size, -1, dtype=np.int64)
    number[place] = np.arange(len(place))
    prompts, answers = (np.empty((len(place), HASHES), dtype=np.uint32) for _ in range(2))
    worded = np.zeros(len(place), dtype=bool)
    for to, prompt, answer in ahead(_runs(rows, number)):
        prompts[to], answers[to] = signatures(prompt), signatures(answer)
        worded[to] = (prompt.counts > 0) & (answer.counts > 0)
    one, other = linked(prompts, answers, alike)
    both = worded[one] & worded[other]  # what has no words is like nothing
    return one[both], other[both]


def _runs(rows: Rows, number: Ints) -> Iterator[tuple[Ints, Runs, Runs]]:
    """Yield the numbers of some comparisons with the runs of their prompts and answers, in the order of the file.

    To pick rows from all over the file is slow.
    """
    for n in range(0, rows.size, BATCH):
        mine = np.flatnonzero(number[n : n + BATCH] >= 0)
        some = rows.table.slice(n, BATCH).take(pa.array(mine))
        yield number[n + mine], prompt_runs(some, WORDS), answer_runs(some, WORDS)


def prompt_runs(table: pa.Table, size: int) -> Runs:
    """Return the runs of words of each row's conversation."""
    flat, start = _message_words(table)
    return runs(in_rows(flat, start), size)


def message_runs(table: pa.Table, size: int) -> Runs:
    """Return the runs of words of each row's messages, taken one by one: a message of fewer words is a run of its own."""
    flat, start = _message_words(table)
    return in_rows(runs(flat, size), start)


def _message_words(table: pa.Table) -> tuple[Runs, Ints]:
    """Return the words of all messages, and where the messages of each row begin."""
    messages = pc.struct_field(table["prompt"].combine_chunks(), "messages")
    start = messages.offsets.to_numpy().astype(np.int64)
    return words(pc.struct_field(messages.flatten(), "content")), start - start[0]


def answer_runs(table: pa.Table, size: int) -> Runs:
    """Return the runs of words of each row's answer, or of both its answers."""
    names = [name for name in ("chosen", "rejected", "completion") if name in table.schema.names]
    return reduce(together, (runs(words(table[name].combine_chunks()), size) for name in names))


def signatures(texts: Runs) -> Signatures:
    """Return [rows, HASHES]: for each of many orders of all runs that there can be, the first one that a text has."""
    from rensa import RMinHash

    found = np.empty((len(texts.counts), HASHES), dtype=np.uint32)
    for n in range(0, len(found), PART):
        start = texts.start[n : n + PART + 1]
        hashes, places = texts.hashes[start[0] : start[-1]], (start - start[0]).astype(np.uint64)
        found[n : n + PART] = RMinHash.digest_matrix_from_flat_token_hashes(hashes, places, HASHES, SEED).to_rows()
    return found


def linked(prompts: Signatures, answers: Signatures, alike: float) -> Links:
    """Return links between rows whose prompts and whose answers are alike by their signatures.

    Of all rows that agree in a band each is held against the one before it and the first one.
    """
    found = []
    for band in range(BANDS):
        key = _key(prompts, band) * BASE ^ _key(answers, band)
        order = np.argsort(key, kind="stable")
        same = key[order[1:]] == key[order[:-1]]
        begins = np.concatenate([[True], ~same])
        first = order[np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))] if len(order) else order
        later = np.flatnonzero(~begins[: len(order)])
        found += [earlier * len(key) + order[later] for earlier in (order[later - 1], first[later])]
    one, other = np.divmod(np.unique(np.concatenate(found)), max(len(prompts), 1))
    like = (_likeness(prompts, one, other) >= alike) & (_likeness(answers, one, other) >= alike)
    return one[like], other[like]


def _key(signature: Signatures, band: int) -> NDArray[np.uint64]:
    """Return the two hashes of a band as one number."""
    return signature.view(np.uint64)[:, band]


def _likeness(signature: Signatures, one: Ints, other: Ints) -> Floats:
    """Return the share of equal hashes, which estimates the share of runs that two texts have in common."""
    equal = np.empty(len(one))
    for n in range(0, len(one), BATCH):  # row by row, as a row's hashes stand together in memory
        here = slice(n, n + BATCH)
        equal[here] = np.count_nonzero(signature[one[here]] == signature[other[here]], axis=1)
    return equal / HASHES
