"""Rows in Parquet: written in parts as they come, read back with every id checked against its content."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from caif.content import Row
from caif.errors import CaifError, explain

BROKEN = "move its folder away, and it is made anew"
PART = 1_000
"""Rows that are held until they are written together; together they are read, too."""

Shared = dict[str, tuple[Any, Row]]

R = TypeVar("R", bound=Row)


def table_name(kind: type[Row]) -> str:
    """Return the file name of a kind of row: its name in lower case."""
    return kind.__name__.lower()


class Table:
    """One kind of row on its way to a file; the same rows give the same bytes."""

    def __init__(self, file: Path, kind: type[Row]) -> None:
        self.file, self.schema, self.count = file, schema_of(kind), 0
        self._part: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(self.file, self.schema, compression="zstd")
        return self

    def add(self, row: Row) -> None:
        """Add a row, as its JSON columns typed by pyarrow."""
        self._part.append(row.model_dump(mode="json"))
        self.count += 1
        if len(self._part) == PART:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._part, schema=self.schema))
        self._part = []

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and (self._part or not self.count):
            self._flush()
        self._writer.close()


def write_rows(file: Path, rows: Iterable[Row], kind: type[Row]) -> None:
    """Write rows to Parquet."""
    with Table(file, kind) as table:
        for row in rows:
            table.add(row)


def read_rows(file: Path, kind: type[R]) -> list[R]:
    """Read rows back; a row whose id does not match its content is an error, not a row.

    A row that stands in several, as a prompt stands in its answers, is read once and shared by them.
    """
    rows: list[R] = []
    shared: Shared = {}
    with opened(file) as table:
        for batch in table.iter_batches(PART):
            rows += checked(file, kind, batch.to_pylist(), len(rows), shared)
    return rows


@contextmanager
def opened(file: Path, metadata: Any = None) -> Iterator[Any]:
    """Open a Parquet file; what cannot be read is one line. Its metadata need not be read again."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, metadata=metadata) as table:
            yield table
    except (pa.ArrowException, OSError) as error:
        raise CaifError(f"{file}: cannot be read: {type(error).__name__}", BROKEN) from None


def checked(file: Path, kind: type[R], items: Sequence[dict[str, Any]], before: int, shared: Shared) -> Iterator[R]:
    """Yield the rows that some items of a file are; `before` of its rows stand before them."""
    for n, item in enumerate(items, before + 1):
        try:
            for name, part in _nested(kind).items():
                item[name] = _once(shared, part, item[name])
            yield kind.model_validate(item)
        except ValidationError as error:
            raise explain(error, kind, f"{file}: row {n}") from None


@cache
def _nested(kind: type[Row]) -> dict[str, Any]:
    return {name: info.annotation for name, info in kind.model_fields.items() if _is_row(info.annotation)}


def _is_row(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Row)


def _once(shared: Shared, kind: Any, item: Any) -> Any:
    """Return the row that stands for this content already, or what it is to be read from."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return item
    before = shared.get(item["id"])
    if before is None or before[0] != item:
        shared[item["id"]] = before = (item, kind.model_validate(item))
    return before[1]


def schema_of(kind: type[Row]) -> Any:
    """Return the Arrow schema of a row, from its pydantic fields, so that an empty table has its columns too."""
    import pyarrow as pa

    return pa.schema([(name, _arrow(info.annotation)) for name, info in kind.model_fields.items()])


def _arrow(annotation: Any) -> Any:
    import types
    import typing

    import pyarrow as pa
    from pydantic import BaseModel

    plain = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    if annotation in plain:
        return plain[annotation]
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _arrow(args[0])
    if origin is typing.Literal:
        return pa.string()
    if origin is tuple:
        return pa.list_(_arrow(args[0]))
    if origin in (types.UnionType, typing.Union):
        return _arrow(next(arg for arg in args if arg is not type(None)))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct([(name, _arrow(info.annotation)) for name, info in annotation.model_fields.items()])
    raise TypeError(f"a row field of type {annotation} has no Arrow type")
