"""What rows are about: rows with one key are about the same prompt, comparison or answer.

A key is a digest of 16 bytes, so that no two different texts share one, and so that the order of keys, unlike that of rows,
depends on content alone.
"""

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from caif.content import digest
from caif.mixture.ahead import ahead
from caif.mixture.ids import BATCH, TEXT, hashed, join
from caif.mixture.rows import Hashes, Ints, Rows

KEY = pa.binary(16)


def comparisons(rows: Rows) -> pa.ChunkedArray:
    """Return the keys of comparisons: a prompt with two answers, whichever of them was chosen."""

    def said(batch: pa.RecordBatch) -> pa.Array:
        chosen, rejected = batch.column("chosen"), batch.column("rejected")
        ordered = pc.less_equal(chosen, rejected)
        first, second = pc.if_else(ordered, chosen, rejected), pc.if_else(ordered, rejected, chosen)
        return join(_prompt_ids(batch), " ", pc.utf8_length(first).cast(TEXT), " ", first, second)

    return _keys(rows, said)


def answers(rows: Rows, name: str) -> pa.ChunkedArray:
    """Return the keys of the answers in a column, each with its prompt."""
    return _keys(rows, lambda batch: join(_prompt_ids(batch), " ", batch.column(name)))


def openings(rows: Rows) -> pa.ChunkedArray:
    """Return the keys of how conversations begin."""
    return _keys(rows, lambda batch: opening_texts(pc.struct_field(batch.column("prompt"), "messages")))


def opening_texts(messages: pa.ListArray) -> pa.Array:
    """Return the first message of the user in each conversation."""
    flat, start = messages.flatten(), messages.offsets.to_numpy()
    users = np.flatnonzero(pc.equal(pc.struct_field(flat, "role"), "user").to_numpy(zero_copy_only=False))
    first = users[np.searchsorted(users, start[:-1] - start[0])]
    return pc.struct_field(flat, "content").take(pa.array(first))


def key(text: str) -> bytes:
    """Return the key of a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def ranks(keys: pa.ChunkedArray) -> Hashes:
    """Return a number for each key by which keys can be sorted: its first half."""
    parts = [np.frombuffer(b"".join(chunk.to_pylist()), dtype=">u8")[::2] for chunk in keys.chunks]
    return np.concatenate([np.zeros(0, dtype=">u8"), *parts]).astype(np.uint64)


def drawn(rows: Rows, seed: int, places: Ints) -> Hashes:
    """Return a random number for each of some rows, by the seed and the row's id alone."""
    ids = rows.table["id"].take(pa.array(places)).to_pylist()
    return np.array([int(digest([seed, row])[:16], 16) for row in ids], dtype=np.uint64)


def _keys(rows: Rows, said: Callable[[pa.RecordBatch], pa.LargeStringArray]) -> pa.ChunkedArray:
    texts = map(said, rows.table.to_batches(max_chunksize=BATCH))
    digests = ((len(some), pa.py_buffer(hashed(some))) for some in ahead(texts))
    return pa.chunked_array([pa.Array.from_buffers(KEY, count, [None, found]) for count, found in digests], KEY)


def _prompt_ids(batch: pa.RecordBatch) -> pa.Array:
    return pc.struct_field(batch.column("prompt"), "id")
