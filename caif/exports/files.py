"""Files on their way to disk: each begun with its first row, all of them there whole or not at all."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from caif.errors import CaifError
from caif.exports.formats import Format
from caif.tables import PART

Put = Callable[[dict[str, Any]], object]
as_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class Files:
    """The files of an export, `preference/train.jsonl` and the like; `counts` says how many rows each has."""

    def __init__(self, folder: Path, form: Format, until: ExitStack) -> None:
        self.folder, self.form, self.counts = folder, form, Counter[str]()
        self._until, self._open = until, dict[str, Put]()

    def name(self, kind: str, split: str) -> str:
        """Return the file of a kind and a split, below the folder."""
        return f"{kind}/{split}.{self.form.suffix}"

    def put(self, name: str, row: dict[str, Any]) -> None:
        """Write one row."""
        if name not in self._open:
            file = self.folder / name
            file.parent.mkdir(exist_ok=True)
            schemas = self.form.schemas
            self._open[name] = self._until.enter_context(
                _columns(file, schemas[file.parent.name]) if schemas else _lines(file)
            )
        self._open[name](row)
        self.counts[name] += 1


@contextmanager
def _lines(file: Path) -> Iterator[Put]:
    with file.open("w", encoding="utf-8", newline="\n") as handle:
        yield lambda row: handle.write(as_json(row) + "\n")


@contextmanager
def _columns(file: Path, schema: pa.Schema) -> Iterator[Put]:
    part: list[dict[str, Any]] = []
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(part, schema=schema))
            part.clear()

        def put(row: dict[str, Any]) -> None:
            part.append(row)
            if len(part) == PART:
                flush()

        yield put
        if part:
            flush()


@contextmanager
def placed(folder: Path) -> Iterator[Path]:
    """Give a folder to write into, which becomes `folder` if the block ends well and is gone if not."""
    folder = folder.resolve()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise CaifError(f"{folder}: is there already", "name a folder that is empty or not there yet")
    scratch = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    try:
        scratch.mkdir(parents=True)
    except OSError as error:
        raise CaifError(f"{folder}: cannot be written to: {error.strerror}", "name another folder") from None
    try:
        yield scratch
        if folder.exists():
            folder.rmdir()
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
