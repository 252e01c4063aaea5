"""Tables as rows: CSV, Parquet, and the folders that Hugging Face `datasets` saves, by the columns asked for."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from caif.data import Rejected
from caif.errors import CaifError, nearest
from caif.formats.jsonl import MAX_ROW, Line
from caif.formats.unpacking import cap, opened, within

BATCH = 256


def csv_rows(path: Path, columns: Sequence[str]) -> Iterator[Line | Rejected]:
    """Yield the rows of a CSV file with a header, each by the line it begins on, since fields may span lines."""
    rows = csv_cells(path)
    _, header = next(rows)
    _present(path, columns, header)
    for where, cells in rows:
        if len(cells) == len(header):
            yield Line(where, dict(zip(header, cells, strict=True)))
        else:
            yield Rejected(where=where, reason="wrong number of cells", detail=f"{len(cells)}, not {len(header)}")


def csv_cells(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the header of a CSV file and then its rows, blank lines left out, each as its place and its cells."""
    # The limit is one for the whole process; raising it never breaks another reader.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW))
    with opened(path) as handle, io.TextIOWrapper(handle, encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(_bounded(stream, path), strict=True)
        try:
            yield from _csv_cells(reader, path)
        except csv.Error as error:
            raise CaifError(f"{path}:{reader.line_num}: not valid CSV: {error}", "mend its quotes") from None
        except UnicodeDecodeError:
            raise CaifError(f"{path}:{reader.line_num + 1}: not UTF-8", "save it as UTF-8") from None


def _csv_cells(reader: Any, path: Path) -> Iterator[tuple[str, list[str]]]:
    header = next(reader, None)
    if not header:
        raise CaifError(f"{path}: is empty", "the first line names the columns")
    yield f"{path.name}:1", header
    begins = reader.line_num + 1
    for cells in reader:
        where, begins = f"{path.name}:{begins}", reader.line_num + 1
        if cells:
            yield where, cells


def _bounded(stream: TextIO, path: Path) -> Iterator[str]:
    for number in count(1):
        line = stream.readline(MAX_ROW)
        if not line:
            return
        if len(line) >= MAX_ROW:
            raise CaifError(f"{path}:{number}: a line over 1 MB", "is this a CSV file?")
        yield line


def parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[Line]:
    """Yield these columns of a Parquet file, row by row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(_there(path)) as file:
            _present(path, columns, file.schema_arrow.names)
            within(cap(path), path, sum(file.metadata.row_group(n).total_byte_size for n in range(file.num_row_groups)))
            yield from _arrow_rows(file.iter_batches(BATCH, columns=list(columns)), path.name)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise CaifError(_one_line(f"{path}: not valid Parquet: {error}"), "fetch the file again") from None


def parquet_columns(path: Path) -> list[str]:
    """Return the names of a Parquet file's columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(_there(path)).names)
    except (pa.ArrowException, OSError) as error:
        raise CaifError(_one_line(f"{path}: not valid Parquet: {error}"), "fetch the file again") from None


def _there(path: Path) -> Path:
    if not path.is_file():
        raise CaifError(f"{path}: no such file", "check the path")
    return path


def dataset_rows(folder: Path, columns: Sequence[str], split: str = "") -> Iterator[Line]:
    """Yield these columns of a folder that `Dataset.save_to_disk` or `DatasetDict.save_to_disk` wrote."""
    import pyarrow as pa

    part = _split(folder, split)
    try:
        names = [item["filename"] for item in json.loads((part / "state.json").read_text("utf-8"))["_data_files"]]
        number = count(1)
        for name in names:
            # The name alone: a state file must not lead out of its folder.
            with pa.memory_map(str(part / Path(name).name)) as source, pa.ipc.open_stream(source) as stream:
                _present(folder, columns, stream.schema.names)
                yield from _arrow_rows((batch.select(columns) for batch in stream), folder.name, number)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CaifError(_one_line(f"{part}: not a saved data set: {error}"), "save it with save_to_disk") from None


def _split(folder: Path, split: str) -> Path:
    """Return the folder of one split; a data set of several needs to be told which."""
    if not folder.is_dir():
        raise CaifError(f"{folder}: no such folder", "name the folder that save_to_disk wrote")
    if (folder / "state.json").is_file():
        return folder
    splits = sorted(item.parent.name for item in folder.glob("*/state.json"))
    if not splits or not (folder / "dataset_dict.json").is_file():
        raise CaifError(f"{folder}: not a saved data set", "save it with save_to_disk")
    wanted = split or (splits[0] if len(splits) == 1 else "")
    if wanted not in splits:
        raise CaifError(f"{folder}: no split {wanted!r}", nearest(wanted, splits))
    return folder / wanted


def _arrow_rows(batches: Iterator[Any], name: str, number: Iterator[int] | None = None) -> Iterator[Line]:
    number = number or count(1)
    for batch in batches:
        for row in batch.to_pylist():
            yield Line(f"{name}:{next(number)}", row)


def _present(path: Path, columns: Sequence[str], header: Sequence[str]) -> None:
    for column in columns:
        if column not in header:
            raise CaifError(f"{path}: no column {column!r}", nearest(column, header))
        if list(header).count(column) > 1:
            raise CaifError(f"{path}: two columns are called {column!r}", "rename one")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
