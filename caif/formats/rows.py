"""Rows of a file, whatever it is written as: JSON lines, a JSON array, CSV with a header, or Parquet."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from caif.data import Rejected
from caif.errors import CaifError
from caif.formats.fields import Unusable
from caif.formats.json_array import records
from caif.formats.jsonl import MAX_ROW, Line, lines
from caif.formats.tables import csv_rows, parquet_columns, parquet_rows
from caif.formats.unpacking import opened

PARQUET = b"PAR1"
Records = dict[str, dict[str, Any]]


def json_rows(path: Path) -> Iterator[Line | Rejected]:
    """Yield the objects of a JSON array or of JSON lines."""
    return records(path) if begin(path)[:1] == b"[" else lines(path)


def any_rows(path: Path, columns: Sequence[str] = ()) -> Iterator[Line | Rejected]:
    """Yield the rows of a file; a table must have these columns, and of Parquet no others are read if any are named."""
    start = begin(path)
    if start.startswith(PARQUET):
        return parquet_rows(path, columns or parquet_columns(path))
    return json_rows(path) if start[:1] in (b"[", b"{") else csv_rows(path, columns)


def begin(path: Path) -> bytes:
    """Return how a file begins, at most as much of it as a row may be long, without leading blanks."""
    with opened(path) as handle:
        return handle.read(MAX_ROW).removeprefix(b"\xef\xbb\xbf").lstrip()


def by_id(rows: Iterable[Line | Rejected], path: Path, within: str = "") -> tuple[Records, list[Rejected]]:
    """Return the rows of a file by their id, and what could not be read. `within` names lists of further such rows.

    They are held in memory: feedback names its texts in no order.
    """
    held, turned_away = Records(), list[Rejected]()
    for item in rows:
        if isinstance(item, Rejected):
            turned_away.append(item)
            continue
        nested = item.row.get(within) if within else None
        for row in (item.row, *(nested if isinstance(nested, list) else ())):
            if isinstance(row, dict) and isinstance(row.get("id"), (str, int)):
                held[str(row["id"])] = row
    if not held:
        raise CaifError(f"{path}: no row has an id", "is this the file of the texts, as JSON?")
    return held, turned_away


def found(held: Records, name: object, what: str) -> dict[str, Any]:
    """Return the row that feedback is about."""
    if not isinstance(name, (str, int)) or str(name) not in held:
        raise Unusable(
            f"its {what} is not in the file of {what}s", repr(name)[:60] if isinstance(name, (str, int)) else ""
        )
    return held[str(name)]
