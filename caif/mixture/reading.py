"""Feedback from the store as columns, every row's id checked against its content, as where rows are read one by one.

A digest of the whole file would be cheaper and say less: rows come from any stage and plugin, and a row's id is what the
rest of caif trusts. The ids of a million rows take seconds.
"""

from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from caif.content import Row, as_json, content_fields, digest, digest_of_json
from caif.data import Preference
from caif.errors import CaifError
from caif.mixture.rows import large_schema
from caif.store import Artifact
from caif.tables import BROKEN, opened, schema_of, table_name

BATCH = 20_000
"""Rows whose ids are checked together."""


def read(artifact: Artifact, kind: type[Row]) -> pa.Table:
    """Return an artifact's rows of one kind; a preference has its likelier answer as the chosen one.

    So the same opinion is the same row however it was written down. A row that was tampered with, a missing one and a
    broken file are errors.
    """
    file = artifact.folder / f"{table_name(kind)}.parquet"
    large = large_schema(kind)
    parts = [large.empty_table()]
    for batch in checked(file, kind) if file.is_file() else ():
        whole = upright(batch) if kind is Preference else batch
        parts.append(pa.Table.from_batches([whole]).cast(large))
    table = pa.concat_tables(parts)
    if table.num_rows != (written := artifact.counts.get(table_name(kind), 0)):
        raise CaifError(f"{file}: holds {table.num_rows} rows where {written} were written", BROKEN)
    return table


def checked(file: Path, kind: type[Row]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file, batch by batch, each row's id checked against its content."""
    with opened(file) as table:
        if not table.schema_arrow.equals(schema_of(kind)):
            raise CaifError(f"{file}: has other columns than this version of caif gives a {table_name(kind)}", BROKEN)
        done = 0
        for batch in table.iter_batches(BATCH):
            _refuse_tampered(batch, kind, f"{file}: row", done)
            done += batch.num_rows
            yield batch


def _refuse_tampered(batch: pa.RecordBatch, kind: type[Row], where: str, done: int) -> None:
    prompts = batch.column("prompt")
    pairs = [
        (pc.struct_field(prompts, "id").to_pylist(), prompt_ids(pc.struct_field(prompts, "messages").to_pylist())),
        (batch.column("id").to_pylist(), ids(kind, batch)),
    ]
    for stored, wanted in pairs:
        for n, (one, other) in enumerate(zip(stored, wanted, strict=True), done + 1):
            if one != other:
                raise CaifError(f"{where} {n}: row id {one} does not match its content ({other})", BROKEN)
    for name, most in (("weight", np.inf), ("probability", 1.0)):
        if name in batch.schema.names:
            values = batch.column(name).to_numpy()
            if (wrong := ~((values >= 0) & (values <= most) & np.isfinite(values))).any():
                raise CaifError(f"{where} {done + int(np.argmax(wrong)) + 1}: {name} is out of range", BROKEN)


def prompt_ids(messages: Iterable[Any]) -> list[str]:
    """Return the ids that conversations have as prompts."""
    return [digest({"row": "Prompt", "messages": some}) for some in messages]


def ids(kind: type[Row], table: pa.Table | pa.RecordBatch) -> list[str]:
    """Return the id that each row's content has, as the row itself would say.

    Each column is written as JSON, and a row's is put together from its columns': half the time of writing row by row.
    """
    names = sorted(content_fields(kind))
    keys = sorted((*names, "row"))
    row = ",".join(f'"row":"{kind.__name__}"' if key == "row" else f'"{key}":%s' for key in keys).join("{}")
    found = []
    for batch in [table] if isinstance(table, pa.RecordBatch) else table.to_batches(max_chunksize=BATCH):
        columns = (_written(batch.column(name)) for name in names)
        found += [digest_of_json(row % values) for values in zip(*columns, strict=True)]
    return found


def _written(values: pa.Array) -> list[str]:
    """Return each value of a column as JSON; a row in it is known by its id."""
    if pa.types.is_struct(values.type):
        values = pc.struct_field(values, "id")
    plain = values.to_pylist()
    if pa.types.is_primitive(values.type):
        return as_json(plain)[1:-1].split(",") if plain else []
    if values.null_count or pa.types.is_nested(values.type):
        return [as_json(value) for value in plain]
    return [encode_basestring(text) for text in plain]


def upright(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return preferences with the likelier answer as the chosen one; at one half the first in the alphabet is."""
    chosen, rejected, probability = (batch.column(name) for name in ("chosen", "rejected", "probability"))
    even = pc.and_(pc.equal(probability, 0.5), pc.greater(chosen, rejected))
    turned = pc.or_(pc.less(probability, 0.5), even)
    if not pc.any(turned).as_py():
        return batch
    columns = {name: batch.column(name) for name in batch.schema.names}
    columns["chosen"] = pc.if_else(turned, rejected, chosen)
    columns["rejected"] = pc.if_else(turned, chosen, rejected)
    columns["probability"] = pc.if_else(turned, pc.subtract(1.0, probability), probability)
    fresh = pa.RecordBatch.from_pydict(columns, schema=batch.schema)
    columns["id"] = pc.replace_with_mask(
        columns["id"], turned, pa.array(ids(Preference, fresh.filter(turned)), columns["id"].type)
    )
    return pa.RecordBatch.from_pydict(columns, schema=batch.schema)
