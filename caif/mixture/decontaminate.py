"""Rows that repeat an evaluation set: those whose prompt or answers have a run of its words."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from caif.data import Rejected
from caif.errors import CaifError
from caif.formats.json_array import records
from caif.formats.jsonl import lines
from caif.mixture.near import BATCH, answer_runs, message_runs, prompt_runs
from caif.mixture.rows import Bools, Hashes, Rows
from caif.mixture.words import any_of, runs, words

SHORT = 5
"""A text of fewer words than a run counts as a whole, unless it has fewer than this: everybody says yes or no."""


class Known(NamedTuple):
    """An evaluation set by its name, and the runs of words that stand in it."""

    name: str
    runs: Hashes


def known(path: Path, size: int) -> Known:
    """Return the runs of `size` words in all texts of a set: a file of JSON lines, a JSON array, or plain lines."""
    single = words(pa.array(_texts(path), pa.large_string()))
    found = runs(single, size)
    long = np.repeat(single.counts >= min(size, SHORT), found.counts)
    if not long.any():
        raise CaifError(f"{path}: holds no text of {SHORT} words or more", "is this an evaluation set?")
    return Known(path.name.partition(".")[0], np.unique(found.hashes[long]))


def overlapping(rows: Rows, evaluation: Sequence[Known], size: int) -> list[Bools]:
    """Return for each set which rows repeat a run of it: of a conversation, across its messages and in each by itself."""
    found = [np.zeros(rows.size, dtype=bool) for _ in evaluation]
    for n in range(0, rows.size, BATCH):
        some = rows.table.slice(n, BATCH)
        for part in (prompt_runs(some, size), message_runs(some, size), answer_runs(some, size)):
            for gone, one in zip(found, evaluation, strict=True):
                gone[n : n + BATCH] |= any_of(_among(part.hashes, one.runs), part.start)
    return found


def _among(hashes: Hashes, sorted_runs: Hashes) -> Bools:
    place = np.minimum(np.searchsorted(sorted_runs, hashes), len(sorted_runs) - 1)
    return np.asarray(sorted_runs[place] == hashes)


def _texts(path: Path) -> list[str]:
    if not path.is_file():
        raise CaifError(f"{path}: no such file", "evaluation_sets names files of JSON lines, JSON or plain text")
    if path.name.endswith((".txt", ".md")):
        try:
            return path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            raise CaifError(f"{path}: not UTF-8", "save it as UTF-8") from None
    texts: list[str] = []
    for row in records(path) if path.name.endswith(".json") else lines(path):
        if isinstance(row, Rejected):  # what cannot be read would not be kept out
            raise CaifError(
                f"{path.parent / row.where}: {row.reason}", "an evaluation set is JSON lines, a JSON array or .txt"
            )
        texts += _strings(row.row)
    return texts


def _strings(value: object) -> Iterator[str]:
    """Yield every text within a value; what fields are called is no text of the set."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
