"""A JSON file that is one array of records, read record by record, so that a large export is never held whole."""

import io
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NoReturn, TextIO

from caif.data import Rejected
from caif.errors import CaifError
from caif.formats.jsonl import Line, Parsed, opened, parse

CHUNK = 1 << 16
MAX_RECORD = 32_000_000
BLANK = " \t\r\n"


def records(path: Path) -> Iterator[Line | Rejected]:
    """Yield every object of the array as `name:[n]`, from 1. A syntax error ends it: what follows is unknown."""
    with opened(path) as (handle, _), io.TextIOWrapper(handle, encoding="utf-8-sig") as stream:
        try:
            yield from _records(stream, path)
        except UnicodeDecodeError:
            raise CaifError(f"{path}: not UTF-8", "save it as UTF-8") from None


def _records(stream: TextIO, path: Path) -> Iterator[Line | Rejected]:
    rest = _more(stream, "")
    if not rest:
        raise CaifError(f"{path}: is empty", "export it again")
    if rest[0] != "[":
        raise CaifError(f"{path}: is not a JSON array of records", "export it as JSON")
    rest = _more(stream, rest[1:])
    if rest[:1] == "]":
        return
    for n in count(1):
        where = f"{path.name}:[{n}]"
        (value, end, faults), rest = _decode(stream, rest, path, n)
        if faults:
            yield Rejected(where=where, reason=faults[0])
        elif not isinstance(value, dict):
            yield Rejected(where=where, reason="not an object")
        else:
            yield Line(where, value)
        rest = _more(stream, rest[end:])
        if rest[:1] != ",":
            break
        rest = _more(stream, rest[1:])
    if rest[:1] != "]" or _more(stream, rest[1:]):
        _broken(path, n, "the array does not go on or end here" if rest else "the file ends too early")


def _more(stream: TextIO, rest: str) -> str:
    """Return what is left to read without leading blanks; empty only at the end of the file."""
    rest = rest.lstrip(BLANK)
    while not rest and (chunk := stream.read(CHUNK)):
        rest = chunk.lstrip(BLANK)
    return rest


def _decode(stream: TextIO, rest: str, path: Path, n: int) -> tuple[Parsed, str]:
    """Return the record that begins here and the text it was read from, reading on until the record is whole."""
    while True:
        try:
            return parse(rest), rest
        except json.JSONDecodeError as error:
            # Twice as much each time, so that a long record is not parsed anew for every chunk of it.
            chunk = stream.read(max(CHUNK, len(rest)))
            if not chunk:
                _broken(path, n, error.msg)
        except RecursionError:
            raise CaifError(f"{path}:[{n}]: nested too deep", "is this the right file?") from None
        rest += chunk
        if len(rest) > MAX_RECORD:
            _broken(path, n, f"no end of it within {MAX_RECORD} characters")


def _broken(path: Path, n: int, why: str) -> NoReturn:
    raise CaifError(f"{path}:[{n}]: not valid JSON: {why}", "export it again")
