"""JSON lines, one row at a time: a line that cannot be used is turned away with its number, and reading goes on.

Nothing is read one way that could mean another: NaN, a key that stands twice, and half of a surrogate pair are refused.
A line is never held beyond 1 MB; what a packed file may unpack to is capped where it is opened.
"""

import codecs
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from caif.data import Rejected
from caif.formats.unpacking import opened

MAX_ROW = 1_000_000
LONGEST_NUMBER = 100
"""Python itself refuses to convert whole numbers of over 4300 digits."""


class Line(NamedTuple):
    """One row as it stands in a file: where, and its fields."""

    where: str
    row: dict[str, Any]


class Parsed(NamedTuple):
    """The JSON value a text begins with, where it ends, and what is wrong with it all the same."""

    value: Any
    end: int
    faults: list[str]


def lines(path: Path) -> Iterator[Line | Rejected]:
    """Yield every row of a `.jsonl` file, packed or not, or why it is none. Blank lines are skipped but counted."""
    with opened(path) as handle:
        for number, raw in enumerate(raw_lines(handle), 1):
            if raw is None or raw.strip():
                yield _line(raw, f"{path.name}:{number}")


def raw_lines(handle: BinaryIO) -> Iterator[bytes | None]:
    """Yield each line as it stands but for a BOM, None for one that is too long to be kept."""
    first, skipping = True, False
    while piece := handle.readline(MAX_ROW):
        if first:
            piece, first = piece.removeprefix(codecs.BOM_UTF8), False
        ended = piece.endswith(b"\n") or len(piece) < MAX_ROW - len(codecs.BOM_UTF8)
        if ended:
            yield None if skipping else piece
        skipping = not ended
    if skipping:
        yield None


def _line(raw: bytes | None, where: str) -> Line | Rejected:
    if raw is None:
        return Rejected(where=where, reason="row over 1 MB")
    try:
        text = raw.decode("utf-8").strip(" \t\r\n")
        value, end, faults = parse(text)
    except UnicodeDecodeError:
        return Rejected(where=where, reason="not UTF-8")
    except json.JSONDecodeError as error:
        return Rejected(where=where, reason="not JSON", detail=f"column {error.colno}: {error.msg}")
    except RecursionError:
        return Rejected(where=where, reason="nested too deep")
    if end < len(text):
        return Rejected(where=where, reason="not JSON", detail=f"column {end + 1}: more text after the row")
    if faults:
        return Rejected(where=where, reason=faults[0])
    if not isinstance(value, dict):
        return Rejected(where=where, reason="not an object")
    return Line(where, value)


def parse(text: str, start: int = 0) -> Parsed:
    """Return the JSON value that starts here in a text. Faults do not stop it, so that its end is known all the same."""
    faults: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            faults.append("a key stands twice")
        return table

    def number(digits: str) -> float:
        if not math.isfinite(value := float(digits)):
            faults.append("number out of range")
        return value

    def whole(digits: str) -> int:
        if len(digits) > LONGEST_NUMBER:
            faults.append("number out of range")
            return 0
        return int(digits)

    decoder = json.JSONDecoder(
        object_pairs_hook=unique,
        parse_float=number,
        parse_int=whole,
        parse_constant=lambda _: faults.append("NaN or Infinity"),
    )
    value, end = decoder.raw_decode(text, start)
    if text.find("\\u", start, end) >= 0 and not _encodable(value):
        faults.append("lone surrogate")
    return Parsed(value, end, faults)


def _encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
