"""What is exported is what is imported: by caif's own format whole, by the others all that they carry (RELIABILITY 43)."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labelled import made_in

import caif
from caif.content import Row
from caif.data import Message, Origin, Preference, Prompt, Rating
from caif.exports.known import FORMATS
from caif.exports.writing import write
from caif.formats.caif_rows import caif_rows
from caif.formats.openai_preference import openai_preference
from caif.formats.trl import trl, trl_unpaired

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)
NAME = st.sampled_from(["", "ann", "Bob <b@c.de>"])
WEIGHT = st.floats(0.01, 10)
quick = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def prompts(draw: Any) -> Prompt:
    """Draw a conversation that waits for an answer."""
    turns = draw(st.lists(st.tuples(TEXT, TEXT), max_size=2))
    said = [("system", text) for text in draw(st.lists(TEXT, max_size=1))]
    said += [part for one, other in turns for part in (("user", one), ("assistant", other))] + [("user", draw(TEXT))]
    return Prompt(messages=tuple(Message(role=role, content=text) for role, text in said))


@st.composite
def pairs(draw: Any) -> Preference:
    """Draw a pair whose likelier answer is the chosen one."""
    chosen, rejected = draw(st.tuples(TEXT, TEXT).filter(lambda two: two[0] != two[1]))
    lender = draw(st.sampled_from(["", "f" * 32]))
    origin = Origin(raw=draw(TEXT), at=draw(st.none() | st.floats(0, 1e10)), conversation=draw(NAME), borrowed=lender)
    return Preference(
        prompt=draw(prompts()), chosen=chosen, rejected=rejected, probability=draw(st.floats(0.51, 1)), weight=draw(WEIGHT),
        objective=draw(TEXT), principle=draw(NAME), rater=draw(NAME), origin=origin,
    )  # fmt: skip


@st.composite
def thumbs(draw: Any) -> Rating:
    """Draw a thumb with all that it may have."""
    return Rating(
        prompt=draw(prompts()), completion=draw(TEXT), up=draw(st.booleans()), weight=draw(WEIGHT), objective=draw(TEXT),
        rater=draw(NAME), reason=draw(NAME), correction=draw(NAME), origin=Origin(raw=draw(TEXT)),
    )  # fmt: skip


LABELS = st.lists(pairs() | thumbs(), min_size=1, max_size=4, unique_by=lambda row: row.id)


def through(rows: Sequence[Row], to: str, file: str, reader: Any) -> list[Any]:
    """Return what a reader makes of what a format writes."""
    with tempfile.TemporaryDirectory() as folder:
        (out := Path(folder) / "out").mkdir()
        write(made_in(Path(folder) / "store", rows), FORMATS[to], out, raters=True)
        return [row for path in out.glob(file) for row in reader(path)]


def of(kind: type[Row], rows: Iterable[Row]) -> Iterator[Any]:
    """Return the rows of one kind."""
    return (row for row in rows if type(row) is kind)


@quick
@given(LABELS)
def test_caifs_own_format_gives_the_same_rows(rows: list[Any]) -> None:
    """Ids too, so every field that a label is known by; and where it came from."""
    found = through(rows, "caif", "*/*.jsonl", caif_rows())
    assert sorted(found, key=lambda row: row.id) == sorted(rows, key=lambda row: row.id)


@quick
@given(st.lists(pairs(), min_size=1, max_size=4))
def test_openai_lines_give_the_same_pairs(rows: list[Preference]) -> None:
    """The texts, to the last character, and the order of the rows."""
    found = through(rows, "openai", "preference/train.jsonl", openai_preference())
    assert [(row.prompt, row.chosen, row.rejected) for row in found] == [(r.prompt, r.chosen, r.rejected) for r in rows]


@quick
@given(LABELS)
def test_trl_gives_the_same_texts_and_labels(rows: list[Any]) -> None:
    """Pairs and thumbs, each by its reader."""
    said = [(row.prompt, row.chosen, row.rejected) for row in through(rows, "trl", "preference/*", trl())]
    assert said == [(row.prompt, row.chosen, row.rejected) for row in of(Preference, rows)]
    rated = [(row.prompt, row.completion, row.up) for row in through(rows, "trl", "unpaired/*", trl_unpaired())]
    assert rated == [(row.prompt, row.completion, row.up) for row in of(Rating, rows)]


@pytest.mark.parametrize("text", ['=HYPERLINK("x")', "+1", "-1", "@x", "\t=1+1"])
def test_what_a_spreadsheet_would_run_comes_back_as_it_was(text: str) -> None:
    """RELIABILITY 33: nothing is put before it, as nothing that caif writes is opened by a spreadsheet: it writes no CSV."""
    rows = [Preference(prompt=Prompt.of(text), chosen=text, rejected="b", probability=0.9, objective="o", rater=text)]
    assert [row.id for row in through(rows, "caif", "*/*.jsonl", caif_rows())] == [rows[0].id]
    said = [(row.prompt, row.chosen, row.rejected) for row in through(rows, "trl", "preference/*", trl())]
    assert said == [(rows[0].prompt, text, "b")]
    sources = "".join(file.read_text(encoding="utf-8") for file in Path(caif.__path__[0]).rglob("*.py"))
    assert not [way for way in ("csv.writer", "DictWriter", "to_csv", "write_csv") if way in sources]
