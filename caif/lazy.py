"""Rows that stay in their file until they are asked for, so that a stage need not hold all of them."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, compress
from pathlib import Path
from typing import Any, TypeVar, overload

from caif.content import Row
from caif.tables import checked, opened

R = TypeVar("R", bound=Row)

KEPT = 4
"""How many parts of a file are held at most."""


class LazyRows(Sequence[R]):
    """The rows of a file, read a part at a time and checked then, as `read_rows` checks them. A slice is lazy too.

    `places` are the numbers of the rows in the file, in the order that they have here. Without the file there are none.
    """

    def __init__(self, file: Path, kind: type[R], places: Sequence[int] | None = None) -> None:
        self.file, self.kind = file, kind
        self._metadata = None
        parts: list[int] = []
        if file.is_file():
            with opened(file) as table:
                self._metadata = table.metadata
                parts = [table.metadata.row_group(n).num_rows for n in range(table.num_row_groups)]
        self._starts = [0, *accumulate(parts)]
        self._held: dict[int, list[R]] = {}
        self.places = range(self._starts[-1]) if places is None else places

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[R]:
        return map(self._row, self.places)

    @overload
    def __getitem__(self, at: int) -> R: ...
    @overload
    def __getitem__(self, at: slice) -> "LazyRows[R]": ...
    def __getitem__(self, at: int | slice) -> "R | LazyRows[R]":
        return self._at(self.places[at]) if isinstance(at, slice) else self._row(self.places[at])

    def where(self, column: str, value: str) -> "LazyRows[R]":
        """Return those that have this value in a column, which may be one of a row within them ("prompt.split")."""
        return self._at(
            array("q", compress(self.places, (found == value for found in self._column(column).to_pylist())))
        )

    def together(self, column: str) -> "LazyRows[R]":
        """Return all, those with the same value in a column next to each other, in the order in which the values come."""
        import pyarrow.compute as pc

        order = pc.sort_indices(self._column(column).dictionary_encode().indices)  # stable
        return self._at(array("q", (self.places[n] for n in order.to_pylist())))

    def _at(self, places: Sequence[int]) -> "LazyRows[R]":
        return LazyRows(self.file, self.kind, places)

    def _row(self, place: int) -> R:
        part = bisect_right(self._starts, place) - 1
        if part not in self._held:
            if len(self._held) == KEPT:
                del self._held[next(iter(self._held))]
            with opened(self.file, self._metadata) as table:
                items = table.read_row_group(part).to_pylist()
            self._held[part] = list(checked(self.file, self.kind, items, self._starts[part], {}))
        return self._held[part][place - self._starts[part]]

    def _column(self, path: str) -> Any:
        import pyarrow as pa

        if not self.places:
            return pa.array([], pa.string())
        with opened(self.file, self._metadata) as table:
            column = table.read(columns=[path]).column(0).combine_chunks()
        for name in path.split(".")[1:]:
            column = column.field(name)
        return column.take(pa.array(self.places))
