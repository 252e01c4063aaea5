"""What rows are about: rows with one key are about the same prompt, comparison or answer.

A key is a digest of 16 bytes, so that no two different texts share one, and so that the order of keys, unlike that of rows,
depends on content alone.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from caif.content import digest
from caif.mixture.rows import Rows

BATCH = 20_000
KEY = pa.binary(16)


def comparisons(rows: Rows) -> pa.ChunkedArray:
    """Return the keys of comparisons: a prompt with two answers, whichever of them was chosen."""

    def said(prompt: dict[str, Any], chosen: str, rejected: str) -> str:
        first, second = sorted((chosen, rejected))
        return f"{prompt['id']} {len(first)} {first}{second}"

    return _keys(rows, ("prompt", "chosen", "rejected"), said)


def answers(rows: Rows, name: str) -> pa.ChunkedArray:
    """Return the keys of the answers in a column, each with its prompt."""
    return _keys(rows, ("prompt", name), lambda prompt, text: f"{prompt['id']} {text}")


def openings(rows: Rows) -> pa.ChunkedArray:
    """Return the keys of how conversations begin: the first message of the user."""
    return _keys(rows, ("prompt",), lambda prompt: opening_of(prompt["messages"]))


def opening_of(messages: Iterable[dict[str, str]]) -> str:
    """Return the first message of the user."""
    return next(message["content"] for message in messages if message["role"] == "user")


def key(text: str) -> bytes:
    """Return the key of a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def ranks(keys: pa.ChunkedArray) -> NDArray[np.uint64]:
    """Return a number for each key by which keys can be sorted: its first half."""
    parts = [np.frombuffer(b"".join(chunk.to_pylist()), dtype=">u8")[::2] for chunk in keys.chunks]
    return np.concatenate([np.zeros(0, dtype=">u8"), *parts]).astype(np.uint64)


def drawn(rows: Rows, seed: int, places: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return a random number for each of some rows, by the seed and the row's id alone."""
    ids = rows.table["id"].take(pa.array(places)).to_pylist()
    return np.array([int(digest([seed, row])[:16], 16) for row in ids], dtype=np.uint64)


def _keys(rows: Rows, names: tuple[str, ...], said: Callable[..., str]) -> pa.ChunkedArray:
    def parts() -> Iterator[pa.Array]:
        for batch in rows.table.select(names).to_batches(max_chunksize=BATCH):
            columns = (batch.column(name).to_pylist() for name in names)
            yield pa.array([key(said(*values)) for values in zip(*columns, strict=True)], KEY)

    return pa.chunked_array(parts(), KEY)
