"""JSON lines, one row at a time: a line that cannot be used is turned away with its number, and reading goes on.

Nothing is read one way that could mean another: NaN, a key that stands twice, and half of a surrogate pair are refused.
A line is never held beyond 1 MB, and a compressed file that unpacks out of all proportion stops at a cap.
"""

import codecs
import gzip
import json
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from caif.data import Rejected
from caif.errors import CaifError

MAX_ROW = 1_000_000
MAX_UNPACKED = 2_000_000_000
MAX_RATIO = 200
LONGEST_NUMBER = 100
"""Python itself refuses to convert whole numbers of over 4300 digits."""
FREE_UNPACKED = 64_000_000
"""A small file of repeated text may well beat the ratio, so below this the ratio does not count."""


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
    """Yield every row of a `.jsonl` or `.jsonl.gz` file, or why it is none. Blank lines are skipped but counted."""
    with opened(path) as (handle, cap):
        for number, raw in enumerate(_raw_lines(handle, cap, path), 1):
            if raw is None or raw.strip():
                yield _line(raw, f"{path.name}:{number}")


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, float]]:
    """Open a file, unpacked if it is gzip, with the most bytes that may come out. Each failure is a CaifError."""
    if not path.is_file():
        raise CaifError(f"{path}: no such file", "check the path")
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if not packed:
                yield plain, math.inf
                return
            cap = min(MAX_UNPACKED, max(FREE_UNPACKED, MAX_RATIO * path.stat().st_size))
            with gzip.open(plain) as unpacked:
                yield unpacked, cap  # type: ignore[misc]  # GzipFile reads as a BinaryIO does
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CaifError(f"{path}: broken or cut off gzip", "fetch the file again") from None
    except OSError as error:
        raise CaifError(f"{path}: cannot be read: {error.strerror}", "check the file and its permissions") from None


def _raw_lines(handle: BinaryIO, cap: float, path: Path) -> Iterator[bytes | None]:
    """Yield each line without its BOM, None for one that is too long to be kept."""
    total, skipping = 0, False
    while piece := handle.readline(MAX_ROW):
        if not total:
            piece = piece.removeprefix(codecs.BOM_UTF8)
        total += len(piece)
        if total > cap:
            raise CaifError(f"{path}: unpacks to more than {int(cap)} bytes", "is this a data file? Unpack it yourself")
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


def parse(text: str) -> Parsed:
    """Return the JSON value at the start of a text. Faults do not stop it, so that its end is known all the same."""
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
    value, end = decoder.raw_decode(text)
    if "\\u" in text[:end] and not _encodable(value):
        faults.append("lone surrogate")
    return Parsed(value, end, faults)


def _encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
