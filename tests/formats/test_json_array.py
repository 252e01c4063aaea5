"""Arrays of records are read one by one, in bounded memory, and a syntax error is an error."""

import json

import pytest

from caif.data import Rejected
from caif.errors import CaifError
from caif.formats import json_array
from caif.formats.json_array import records


@pytest.mark.parametrize("chunk", [1, 7, 1 << 16])
def test_every_record_is_read_whatever_the_chunks_cut(write, monkeypatch, chunk):
    """Where reading stops for breath changes no record."""
    rows = [{"t": "é]},[{" * n, "n": [1.5, {"deep": None}]} for n in range(20)]
    monkeypatch.setattr(json_array, "CHUNK", chunk)
    for indent in (None, 2):
        path = write("in.json", "\ufeff " + json.dumps(rows, indent=indent, ensure_ascii=False) + " \r\n")
        assert [line.row for line in records(path)] == rows
    assert [line.where for line in records(path)][:2] == ["in.json:[1]", "in.json:[2]"]


def test_an_empty_array_has_no_records(write):
    """Nothing is not an error here; whoever needs a row says so."""
    assert list(records(write("in.json", " [ ] "))) == []


def test_a_faulty_record_is_rejected_and_the_next_one_read(write):
    """NaN, doubled keys, lone surrogates and records that are none are turned away by number."""
    rows = list(records(write("in.json", '[{"n": NaN}, {"n": 1, "n": 2}, {"t": "\\ud800"}, "text", {"n": 1}]')))
    assert [row.reason for row in rows if isinstance(row, Rejected)] == [
        "NaN or Infinity", "a key stands twice", "lone surrogate", "not an object",
    ]  # fmt: skip
    assert rows[4] == ("in.json:[5]", {"n": 1})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ('{"items": []}', "is not a JSON array"),
        ('[{"n": 1}', "ends too early"),
        ('[{"n": 1},', r"\[2\]: not valid JSON"),
        ('[{"n": 1} {"n": 2}]', "does not go on or end here"),
        ('[{"n": 1}] more', "does not go on or end here"),
        ('[{"n": 1}, {"n" 2}]', r"\[2\]: not valid JSON"),
        ("[" * 100_000, "nested too deep"),
        (b'[{"t": "\xff"}]', "not UTF-8"),
    ],
)
def test_a_file_that_is_no_array_of_records_is_an_error(write, content, message):
    """The message names the file, the record and what is wrong."""
    with pytest.raises(CaifError, match=message):
        list(records(write("in.json", content)))


def test_a_record_without_end_is_not_read_for_ever(write, monkeypatch):
    """A record has a greatest length."""
    monkeypatch.setattr(json_array, "MAX_RECORD", 200_000)
    with pytest.raises(CaifError, match="no end of it"):
        list(records(write("in.json", '[{"t": "' + "x" * 1_000_000)))
