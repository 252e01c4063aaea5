"""Rows left on disk read as a list of them would, and no more of them are held than a few parts."""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes import FAKE, context
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caif import lazy, tables
from caif.data import Completion, Judgement, Prompt
from caif.errors import CaifError
from caif.hookspecs import Answer, Question
from caif.lazy import LazyRows
from caif.seen import Seen
from caif.sources import ai_labeler
from caif.store import Artifact
from caif.tables import write_rows

PART = 7
SIZES = st.one_of(st.none(), st.integers(-60, 60))
STEPS = st.one_of(st.none(), st.integers(-9, 9).filter(bool))


def rows(count: int, prompts: int = 10**9) -> list[Completion]:
    """Return answers, the prompts in turn, every third prompt held out."""
    asked = [Prompt.of(f"q{n}").but(split="heldout" if n % 3 == 0 else "train") for n in range(min(count, prompts))]
    return [Completion(prompt=asked[n % len(asked)], text=f"a{n}", model="m", sample=n) for n in range(count)]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write and read a few rows together."""
    monkeypatch.setattr(tables, "PART", PART)


def kept(folder: Path, some: Sequence[Completion]) -> LazyRows[Completion]:
    write_rows(folder / "completion.parquet", some, Completion)
    return Artifact(folder, {"counts": {"completion": len(some)}}).lazily(Completion)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(first=SIZES, last=SIZES, step=STEPS, again=STEPS)
def test_they_read_as_a_list_would(
    tmp_path: Path, small_parts: None, first: int | None, last: int | None, step: int | None, again: int | None
) -> None:
    """Any slice of any slice, from either end; length, membership and order."""
    all_rows = rows(33)
    file = tmp_path / "completion.parquet"
    if not file.exists():
        write_rows(file, all_rows, Completion)
    here = LazyRows(file, Completion)[first:last:step][::again]
    wanted = all_rows[first:last:step][::again]
    assert list(here) == wanted
    assert len(here) == len(wanted)
    assert list(reversed(here)) == wanted[::-1]
    if wanted:
        assert (here[0], here[-1]) == (wanted[0], wanted[-1])
        assert wanted[-1] in here
    with pytest.raises(IndexError):
        here[len(wanted)]


def test_rows_are_picked_and_put_together_by_a_column(tmp_path: Path, small_parts: None) -> None:
    """Of a row within them too; what stands together keeps its order, and the values come as they came first."""
    some = rows(20, prompts=6)
    here = kept(tmp_path, some)
    assert list(here.where("prompt.split", "train")) == [row for row in some if row.prompt.split == "train"]
    assert [row.text for row in here.together("prompt.id")][:7] == ["a0", "a6", "a12", "a18", "a1", "a7", "a13"]
    assert sorted(row.sample for row in here.together("prompt.id")) == list(range(20))
    train = here.where("prompt.split", "train").together("prompt.id")
    assert [row.text for row in train][:4] == ["a1", "a7", "a13", "a19"]
    assert list(here.where("model", "another").together("prompt.id")) == []


def test_no_more_than_a_few_parts_are_held(tmp_path: Path, small_parts: None) -> None:
    """However many rows there are, whoever goes through them from the first to the last."""
    write_rows(tmp_path / "completion.parquet", rows(300), Completion)
    here = LazyRows(tmp_path / "completion.parquet", Completion)
    before = alive(Completion)  # other tests' rows
    most = max(alive(Completion) for n, _ in enumerate(here) if n % 50 == PART - 1) - before
    assert most <= (lazy.KEPT + 1) * PART


def alive(kind: type[Any]) -> int:
    return sum(type(thing) is kind for thing in gc.get_objects())


def test_a_file_that_is_not_there_holds_none_and_one_that_lost_rows_is_refused(tmp_path: Path) -> None:
    """At once, not when somebody comes to the end of it."""
    assert list(Artifact(tmp_path, {"counts": {}}).lazily(Completion)) == []
    assert list(Artifact(tmp_path, {"counts": {}}).lazily(Completion).together("prompt.id")) == []
    kept(tmp_path, rows(5))
    with pytest.raises(CaifError, match="holds 5 rows where 6 were written"):
        Artifact(tmp_path, {"counts": {"completion": 6}}).lazily(Completion)


def test_a_row_that_was_changed_on_disk_is_refused_when_it_is_read(tmp_path: Path, small_parts: None) -> None:
    """By its number in the file; a damaged file is one line too."""
    here = kept(tmp_path, rows(20))
    file = tmp_path / "completion.parquet"
    table = pq.read_table(file)
    texts = pa.array([f"a{n}" if n != 15 else "bought" for n in range(20)])
    pq.write_table(table.set_column(table.schema.get_field_index("text"), "text", texts), file, row_group_size=PART)
    again = LazyRows(file, Completion)
    assert again[13].text == "a13"
    with pytest.raises(CaifError, match=r"row 16: row id .* does not match its content"):
        again[16]
    file.write_bytes(b"PAR1")
    with pytest.raises(CaifError, match=r"cannot be read.*made anew"):
        here[0]


def test_a_judge_labels_rows_on_disk_part_by_part(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100 prompts with two answers each no more are held at a time than a part's, and every one is labelled."""
    monkeypatch.setattr(sys.modules["caif.sources.ai_labeler"], "PART", 10)
    prompts = [Prompt.of(f"q{n}") for n in range(100)]
    answers = [Completion(prompt=p, text=f"{k} {p.text}", model="m", sample=k) for k in (0, 1) for p in prompts]
    write_rows(tmp_path / "completion.parquet", answers, Completion)
    del prompts, answers
    samples = LazyRows(tmp_path / "completion.parquet", Completion).together("prompt.id")
    before = alive(Completion) + alive(Prompt)  # other tests' rows
    most = [0]

    def score(questions: Sequence[Question]) -> list[Answer]:
        most[0] = max(most[0], alive(Completion) + alive(Prompt) - before)
        assert len(questions) <= 2 * 10
        return [Answer("", "stop", (-0.1, -2.4))] * len(questions)

    source = ai_labeler(judge=FAKE, selftest="off")
    found = [type(row) for row in source(context(score=score, samples=samples))]
    assert found.count(Judgement) == 100
    assert most[0] < 90


def test_what_was_seen_is_not_new() -> None:
    """A set by another name."""
    seen = Seen()
    assert [seen.add(text) for text in ("a", "b", "a", "ab", "é", "é")] == [True, True, False, True, True, False]
    seen.close()
