"""The ids of rows that stand in columns, as the rows themselves would say: JSON is written for whole columns at once.

Arrow puts a row's JSON together from its columns', so that Python is asked for one digest a row and for nothing else.
"""

from hashlib import blake2b
from itertools import pairwise
from json.encoder import encode_basestring

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from caif.content import Row, as_json, content_fields

BATCH = 20_000
"""Rows whose JSON is written together."""
TEXT = pa.large_string()
ESCAPES = {sign: encode_basestring(sign)[1:-1] for sign in ("\\", '"', *map(chr, range(32)))}
"""What JSON writes otherwise within a text. The backslash comes first, as the others' escapes begin with one."""


def ids(kind: type[Row], table: pa.Table | pa.RecordBatch) -> pa.Array:
    """Return the id that each row's content has."""
    names = sorted((*content_fields(kind), "row"))
    batches = [table] if isinstance(table, pa.RecordBatch) else table.to_batches(max_chunksize=BATCH)
    texts = (
        _object({name: f'"{kind.__name__}"' if name == "row" else _written(batch.column(name)) for name in names})
        for batch in batches
    )
    return in_hex(b"".join(map(hashed, texts)))


def prompt_ids(messages: pa.ListArray) -> pa.Array:
    """Return the ids that conversations have as prompts."""
    return in_hex(hashed(_object({"messages": _written(messages), "row": '"Prompt"'})))


def hashed(texts: pa.LargeStringArray) -> bytes:
    """Return the digests of some texts, 16 bytes each, one after the other."""
    start, data = _bytes(texts)
    return b"".join([blake2b(data[a:b], digest_size=16).digest() for a, b in pairwise(start.tolist())])


def in_hex(digests: bytes) -> pa.Array:
    """Return digests of 16 bytes as 32 hex digits each."""
    count = len(digests) // 16
    ends = pa.py_buffer(np.arange(0, 32 * count + 1, 32, dtype=np.int64))
    return pa.Array.from_buffers(TEXT, count, [None, ends, pa.py_buffer(digests.hex().encode())]).cast(pa.string())


def quoted(texts: pa.Array) -> pa.LargeStringArray:
    """Return each text as JSON writes it."""
    texts = texts.cast(TEXT)
    start, data = _bytes(texts)
    held = bytes(data[start[0] : start[-1]])
    for sign, written in ESCAPES.items():
        if sign.encode() in held:
            texts = pc.replace_substring(texts, sign, written)
    return join('"', texts, '"')


def _written(values: pa.Array) -> pa.LargeStringArray:
    """Return each value of a column as JSON; a row in it is known by its id."""
    kind = values.type
    if pa.types.is_struct(kind):
        names = sorted(field.name for field in kind)
        if "id" in names:
            found = _written(pc.struct_field(values, "id"))
        else:
            found = _object({name: _written(pc.struct_field(values, name)) for name in names})
    elif pa.types.is_list(kind):
        start = pc.subtract(values.offsets, values.offsets[0])
        items = pa.ListArray.from_arrays(start, _written(values.flatten()))
        found = join("[", pc.binary_join(items, pa.scalar(",", TEXT)), "]")
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        found = quoted(values)
    else:
        found = pa.array(as_json(values.to_pylist())[1:-1].split(",") if len(values) else [], TEXT)
    return pc.if_else(values.is_valid(), found, "null") if values.null_count else found


def _object(fields: dict[str, pa.Array | str]) -> pa.LargeStringArray:
    """Return JSON objects of fields that are written already, in the order of their names."""
    parts = [part for name, values in fields.items() for part in (f',"{name}":', values)]
    return join("{" + parts[0][1:], *parts[1:], "}")


def join(*parts: pa.Array | str) -> pa.LargeStringArray:
    """Return texts put together entry by entry; a plain one stands in every entry."""
    scalars = (pa.scalar(part, TEXT) if isinstance(part, str) else part for part in parts)
    return pc.binary_join_element_wise(*scalars, pa.scalar("", TEXT))


def _bytes(texts: pa.LargeStringArray) -> tuple[NDArray[np.int64], memoryview]:
    """Return where texts begin and end among the bytes they stand in, and the bytes."""
    _, ends, data = texts.buffers()
    start = np.frombuffer(ends or bytes(8), dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return start, memoryview(data or b"")
