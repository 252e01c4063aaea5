"""What is held does not grow with the rows where it need not: a table is written in parts, a row that is in many is one."""

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from caif import tables
from caif.data import Completion, Prompt
from caif.tables import read_rows, write_rows


def rows(count: int) -> Iterator[Completion]:
    for n in range(count):
        yield Completion(prompt=Prompt.of(f"question {n}"), text="answer " * 50, model="m")


def most(file: Path, count: int) -> int:
    """Return the most bytes of Python that writing so many rows held at once."""
    gc.collect()
    tracemalloc.start()
    write_rows(file, rows(count), Completion)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_writing_ten_times_the_rows_takes_no_more_memory(tmp_path: Path, monkeypatch: object) -> None:
    """A part at a time is held; the file is the same whatever the size of the parts is, row for row."""
    monkeypatch.setattr(tables, "PART", 50)  # type: ignore[attr-defined]
    most(tmp_path / "warm.parquet", 50)
    few, many = most(tmp_path / "few.parquet", 100), most(tmp_path / "many.parquet", 1000)
    assert many < 1.3 * few
    assert read_rows(tmp_path / "many.parquet", Completion) == list(rows(1000))


def test_a_prompt_that_stands_in_many_rows_is_read_once(tmp_path: Path) -> None:
    """Its answers share it, and one that was changed on disk is refused all the same."""
    prompt = Prompt.of("one question")
    write_rows(tmp_path / "x.parquet", [Completion(prompt=prompt, text=f"{n}", model="m") for n in range(20)], Completion)
    back = read_rows(tmp_path / "x.parquet", Completion)
    assert len({id(row.prompt) for row in back}) == 1
    assert [row.text for row in back] == [str(n) for n in range(20)]
