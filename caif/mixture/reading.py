"""Feedback from the store as columns, every row's id checked against its content, as where rows are read one by one.

A digest of the whole file would be cheaper and say less: rows come from any stage and plugin, and a row's id is what the
rest of caif trusts. The ids of a million rows take seconds.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from caif.content import Row
from caif.data import Preference
from caif.errors import CaifError
from caif.mixture.ahead import ahead
from caif.mixture.ids import BATCH, ids, prompt_ids
from caif.mixture.rows import large_schema
from caif.store import Artifact
from caif.tables import BROKEN, opened, schema_of, table_name


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
        for batch in ahead(table.iter_batches(BATCH)):
            _refuse_tampered(batch, kind, f"{file}: row", done)
            done += batch.num_rows
            yield batch


def _refuse_tampered(batch: pa.RecordBatch, kind: type[Row], where: str, done: int) -> None:
    prompts = batch.column("prompt")
    pairs = [
        (pc.struct_field(prompts, "id"), prompt_ids(pc.struct_field(prompts, "messages"))),
        (batch.column("id"), ids(kind, batch)),
    ]
    for stored, wanted in pairs:
        same = pc.fill_null(pc.equal(stored, wanted), False)
        if (n := pc.index(same, False).as_py()) >= 0:
            what = f"row id {stored[n]} does not match its content ({wanted[n]})"
            raise CaifError(f"{where} {done + n + 1}: {what}", BROKEN)
    for name, most in (("weight", np.inf), ("probability", 1.0)):
        if name in batch.schema.names:
            values = batch.column(name).to_numpy()
            if (wrong := ~((values >= 0) & (values <= most) & np.isfinite(values))).any():
                raise CaifError(f"{where} {done + int(np.argmax(wrong)) + 1}: {name} is out of range", BROKEN)


def upright(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return preferences with the likelier answer as the chosen one, those that were turned with their new ids."""
    fresh, wrong = turned(batch), _turning(batch)
    if fresh is batch:
        return batch
    names = ids(Preference, fresh.filter(wrong)).cast(fresh.schema.field("id").type)
    return fresh.set_column(0, fresh.schema.field("id"), pc.replace_with_mask(fresh.column("id"), wrong, names))


def turned(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return preferences with the likelier answer as the chosen one, their ids as they were."""
    wrong = _turning(batch)
    if not pc.any(wrong).as_py():
        return batch
    chosen, rejected, probability = (batch.column(name) for name in ("chosen", "rejected", "probability"))
    columns = {name: batch.column(name) for name in batch.schema.names}
    columns["chosen"] = pc.if_else(wrong, rejected, chosen)
    columns["rejected"] = pc.if_else(wrong, chosen, rejected)
    columns["probability"] = pc.if_else(wrong, pc.subtract(1.0, probability), probability)
    return pa.RecordBatch.from_pydict(columns, schema=batch.schema)


def _turning(batch: pa.RecordBatch) -> pa.BooleanArray:
    """Return which rows are to be turned; at one half the first answer in the alphabet is to be the chosen one."""
    chosen, rejected, probability = (batch.column(name) for name in ("chosen", "rejected", "probability"))
    even = pc.and_(pc.equal(probability, 0.5), pc.greater(chosen, rejected))
    return pc.or_(pc.less(probability, 0.5), even)
