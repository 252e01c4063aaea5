"""Write a file of JSON lines whole or not at all: under another name until its last row is on disk."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from caif.errors import CaifError

as_json = json.JSONEncoder(ensure_ascii=False).encode
Put = Callable[[dict[str, Any]], None]


def refuse_existing(out: Path, file: Path, *, force: bool) -> None:
    """Refuse a name that is not one of JSON lines, a file that is there unless it may be replaced, and `file` itself."""
    if out.suffix != ".jsonl":
        raise CaifError(f"{out}: is written as JSON lines", "give it a name that ends in .jsonl")
    if out.is_dir():
        raise CaifError(f"{out}: is a folder", "name a file")
    if out.exists() and file.exists() and out.samefile(file):
        raise CaifError(f"{out}: is what is read; what cannot be used of it would be lost", "name another file")
    if out.exists() and not force:
        raise CaifError(f"{out}: is there already", "name another file, or replace it with --force")


@contextmanager
def rows_of(out: Path) -> Iterator[Put]:
    """Give a function that writes one row. The file takes its place when the block ends well, and never otherwise."""
    scratch = out.with_name(f"{out.name}.{os.getpid()}.tmp")
    try:
        with _begun(scratch) as handle:

            def put(row: dict[str, Any]) -> None:
                handle.write(as_json(row) + "\n")

            yield put
            handle.flush()
            os.fsync(handle.fileno())
        scratch.replace(out)
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)


def _begun(scratch: Path) -> TextIO:
    try:
        scratch.parent.mkdir(parents=True, exist_ok=True)
        return scratch.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise CaifError(f"{scratch.parent}: cannot be written to: {error.strerror}", "name another folder") from None
