"""A JSON file that is one array of records, read record by record, so that a large export is never held whole."""

import io
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NoReturn, TextIO

from caif.data import Rejected
from caif.errors import CaifError
from caif.formats.jsonl import Line, parse
from caif.formats.unpacking import opened

CHUNK = 1 << 16
MAX_RECORD = 32_000_000
BLANK = " \t\r\n"


def records(path: Path) -> Iterator[Line | Rejected]:
    """Yield every object of the array as `name:[n]`, from 1. A syntax error ends it: what follows is unknown."""
    with opened(path) as handle, io.TextIOWrapper(handle, encoding="utf-8-sig") as stream:
        try:
            yield from _records(stream, path)
        except UnicodeDecodeError:
            raise CaifError(f"{path}: not UTF-8", "save it as UTF-8") from None


def _records(stream: TextIO, path: Path) -> Iterator[Line | Rejected]:
    rest = _Rest(stream)
    if not rest.sign():
        raise CaifError(f"{path}: is empty", "export it again")
    if not rest.take("["):
        raise CaifError(f"{path}: is not a JSON array of records", "export it as JSON")
    if rest.sign() == "]":
        return
    for n in count(1):
        where = f"{path.name}:[{n}]"
        value, faults = _decode(rest, path, n)
        if faults:
            yield Rejected(where=where, reason=faults[0])
        elif not isinstance(value, dict):
            yield Rejected(where=where, reason="not an object")
        else:
            yield Line(where, value)
        if not rest.take(","):
            break
    if not rest.sign():
        _broken(path, n, "the file ends too early")
    if not rest.take("]") or rest.sign():
        _broken(path, n, "the array does not go on or end here")


class _Rest:
    """What is left to read of a stream: some of it as text, and where in that text we are."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self.text, self.at = stream, "", 0

    def sign(self) -> str:
        """Return the next character that is no blank, without going past it; empty only at the end of the stream."""
        while True:
            while self.at < len(self.text):
                if (sign := self.text[self.at]) not in BLANK:
                    return sign
                self.at += 1
            self.text, self.at = self._stream.read(CHUNK), 0
            if not self.text:
                return ""

    def take(self, sign: str) -> bool:
        """Go past this character, if it is the next one."""
        found = self.sign() == sign
        self.at += found
        return found

    def grow(self) -> bool:
        """Read on, and keep what is there. Twice as much each time, so that a long record is not parsed ever anew."""
        held = self.text[self.at :]
        chunk = self._stream.read(max(CHUNK, len(held)))
        self.text, self.at = held + chunk, 0
        return bool(chunk)


def _decode(rest: _Rest, path: Path, n: int) -> tuple[Any, list[str]]:
    """Return the record that begins here and its faults, reading on until it is whole, and go past it."""
    rest.sign()
    while True:
        try:
            value, rest.at, faults = parse(rest.text, rest.at)
            return value, faults
        except json.JSONDecodeError as error:
            if not rest.grow():
                _broken(path, n, error.msg)
        except RecursionError:
            raise CaifError(f"{path}:[{n}]: nested too deep", "is this the right file?") from None
        if len(rest.text) > MAX_RECORD:
            _broken(path, n, f"no end of it within {MAX_RECORD} characters")


def _broken(path: Path, n: int, why: str) -> NoReturn:
    raise CaifError(f"{path}:[{n}]: not valid JSON: {why}", "export it again")
