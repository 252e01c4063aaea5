"""Rows of one kind as columns. What a row says stands in a table and never changes; what is decided about it, in arrays.

Texts are Arrow's large strings while they are worked with: more than 2 GB of them fit into one column.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from caif.content import Row
from caif.data import Preference
from caif.tables import schema_of

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]
Ints = NDArray[np.int64]
Links = tuple[Ints, Ints]
"""Numbers of two things, entry by entry: each is linked with the other."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one kind: what they say, and one entry a row for what it weighs now and whether it is still in."""

    kind: type[Row]
    table: pa.Table
    weight: Floats
    kept: Bools

    @property
    def size(self) -> int:
        """How many rows there are, in or out."""
        return int(self.table.num_rows)

    @property
    def answers(self) -> tuple[pa.ChunkedArray, ...]:
        """The answers' texts: the chosen and the rejected ones, or those that were voted on."""
        names = ("chosen", "rejected") if self.kind is Preference else ("completion",)
        return tuple(self.column(name) for name in names)

    def column(self, *path: str) -> pa.ChunkedArray:
        """Return a column; further names lead into its fields."""
        found = self.table[path[0]]
        return pc.struct_field(found, list(path[1:])) if len(path) > 1 else found

    def take(self, places: Ints) -> Self:
        """Return some of the rows, in the order of their places."""
        return replace(
            self, table=self.table.take(pa.array(places)), weight=self.weight[places], kept=self.kept[places]
        )

    def without(self, gone: Bools) -> Self:
        """Return the rows with some of them out."""
        return replace(self, kept=self.kept & ~gone)

    def weighing(self, weight: Floats) -> Self:
        """Return the rows with other weights."""
        return replace(self, weight=weight)


def of_table(kind: type[Row], table: pa.Table) -> Rows:
    """Return the rows of a table, all of them in, with the weights they come with."""
    large = table.cast(large_schema(kind))
    return Rows(kind, large, floats(large["weight"]), np.ones(large.num_rows, dtype=bool))


def large_schema(kind: type[Row]) -> pa.Schema:
    """Return the schema in which rows of a kind are worked with."""
    return pa.schema([field.with_type(_large(field.type)) for field in schema_of(kind)])


def joined(parts: Sequence[Rows]) -> Rows:
    """Return rows of one kind one after the other."""
    table = pa.concat_tables([part.table for part in parts])
    weight, kept = ([getattr(part, name) for part in parts] for name in ("weight", "kept"))
    return Rows(parts[0].kind, table, np.concatenate(weight), np.concatenate(kept))


def floats(values: pa.ChunkedArray) -> Floats:
    """Return numbers as an array of their own; a missing one is NaN."""
    return np.array(values.to_numpy(), dtype=np.float64)


def numbered(values: pa.ChunkedArray) -> Ints:
    """Return a number for each different value, from 0 without gaps, in the order in which they first come."""
    return _encoded(values)[0]


def named(values: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """Return for each value the number of its name, and the names."""
    codes, names = _encoded(values)
    return codes, names.to_pylist()


def _encoded(values: pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    encoded = values.combine_chunks().dictionary_encode()  # in one piece: to unify many dictionaries is quadratic
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary


def crossed(*columns: Ints) -> Ints:
    """Return one number for each different combination of numbers, from 0 without gaps."""
    found = np.unique(columns[0], return_inverse=True)[1]
    for more in columns[1:]:
        found = np.unique(found * (int(more.max(initial=0)) + 1) + more, return_inverse=True)[1]
    return found.astype(np.int64)


def spans(counts: Ints) -> tuple[Ints, Ints]:
    """Return for things that have so many parts each: of which thing every part is, and which of its parts."""
    whole = np.repeat(np.arange(len(counts)), counts)
    return whole, np.arange(len(whole)) - np.repeat(np.cumsum(counts) - counts, counts)


def replaced(table: pa.Table, **columns: Any) -> pa.Table:
    """Return a table with some columns changed; a plain value stands in every row."""
    for name, values in columns.items():
        field = table.schema.field(name)
        if not isinstance(values, (pa.Array, pa.ChunkedArray)):
            many = isinstance(values, (np.ndarray, list))
            values = pa.array(values, field.type) if many else pa.repeat(pa.scalar(values, field.type), table.num_rows)
        table = table.set_column(table.schema.get_field_index(name), field, values)
    return table


def _large(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string(kind):
        return pa.large_string()
    if pa.types.is_list(kind):
        return pa.list_(_large(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_large(field.type)) for field in kind])
    return kind
