"""The mixture on its way to disk, batch by batch: rows as every stage reads them, with the weights and sides they have now."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from caif.data import Preference
from caif.mixture.ahead import ahead
from caif.mixture.ids import BATCH, ids
from caif.mixture.reading import turned
from caif.mixture.rows import Bools, Rows, replaced
from caif.tables import PART, schema_of

Renamed = Callable[[pa.Array, pa.Array], None]


def write(rows: Rows, heldout: Bools, file: Path, renamed: Renamed) -> int:
    """Write the rows that are in, and return how many. `renamed` is told ids, now and before, where weights changed them."""
    count = 0
    with pq.ParquetWriter(file, schema_of(rows.kind), compression="zstd") as writer:
        for batch in ahead(_settled(rows, heldout, renamed)):
            writer.write_table(batch, row_group_size=PART)
            count += batch.num_rows
        if not count:
            writer.write_table(schema_of(rows.kind).empty_table())
    return count


def _settled(rows: Rows, heldout: Bools, renamed: Renamed) -> Iterator[pa.Table]:
    for n in range(0, rows.size, BATCH):
        here = slice(n, n + BATCH)
        places = np.flatnonzero(rows.kept[here])
        batch = rows.table.slice(n, BATCH).take(pa.array(places)).cast(schema_of(rows.kind)).combine_chunks()
        if rows.kind is Preference:
            batch = pa.Table.from_batches(map(turned, batch.to_batches()), batch.schema)
        weight = rows.weight[here][places]
        moved = weight != batch["weight"].to_numpy()
        prompts = _on_sides(batch["prompt"].combine_chunks(), heldout[here][places])
        batch = replaced(batch, weight=weight, prompt=prompts)
        if moved.any():
            before, now = batch["id"].combine_chunks(), ids(rows.kind, batch.filter(pa.array(moved)))
            renamed(now, before.filter(pa.array(moved)))
            batch = replaced(batch, id=pc.replace_with_mask(before, pa.array(moved), now))
        yield batch


def _on_sides(prompts: pa.StructArray, heldout: Bools) -> pa.StructArray:
    names = [field.name for field in prompts.type]
    columns = {name: pc.struct_field(prompts, name) for name in names}
    columns["split"] = pc.if_else(pa.array(heldout), "heldout", "train")
    return pa.StructArray.from_arrays([columns[name] for name in names], fields=list(prompts.type))


def write_table(table: pa.Table, file: Path) -> None:
    """Write a table as it is, if it has rows."""
    if table.num_rows:
        pq.write_table(table, file, compression="zstd", row_group_size=PART)
