"""The one reader of JSON lines: every bad line is named, and none of them stops the others."""

import json
import tracemalloc

import pytest

from caif.data import Rejected
from caif.errors import CaifError
from caif.formats.jsonl import Line, lines

GOOD = b'{"n": 1}\n'


def test_line_17_broken_is_reported_as_line_17(write):
    """The line number counts blank lines, and the lines around a broken one are read."""
    rows = list(lines(write("in.jsonl", GOOD * 14 + b"\n  \n" + b'{"n": 1' + b"\n" + GOOD)))
    (bad,) = [row for row in rows if isinstance(row, Rejected)]
    assert (bad.where, bad.reason) == ("in.jsonl:17", "not JSON")
    assert [row.where for row in rows if isinstance(row, Line)] == [f"in.jsonl:{n}" for n in (*range(1, 15), 18)]


def test_bom_crlf_blank_lines_and_a_missing_last_newline_are_read(write):
    """How an editor ends lines or marks a file changes no row."""
    rows = list(lines(write("in.jsonl", b'\xef\xbb\xbf{"n": 1}\r\n\r\n{"n": 2}\r\n \t \r\n{"n": 3}')))
    assert rows == [("in.jsonl:1", {"n": 1}), ("in.jsonl:3", {"n": 2}), ("in.jsonl:5", {"n": 3})]


def test_a_line_separator_inside_a_text_does_not_end_the_line(write):
    """Only a newline ends a row; U+2028, U+0085 and form feed are text."""
    text = "a\u2028b\u0085c\x0cd"
    assert [row.row for row in lines(write("in.jsonl", json.dumps({"t": text}, ensure_ascii=False)))] == [{"t": text}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"n": NaN}', "NaN or Infinity"),
        (b'{"n": [-Infinity]}', "NaN or Infinity"),
        (b'{"n": 1e999}', "number out of range"),
        (b'{"n": ' + b"9" * 5000 + b"}", "number out of range"),
        (b'{"n": 1, "n": 1}', "a key stands twice"),
        (b'{"a": {"n": 1, "n": 2}}', "a key stands twice"),
        (b'{"t": "\\ud800"}', "lone surrogate"),
        (b'{"\\udfff": 1}', "lone surrogate"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b'{"t": "\xff"}', "not UTF-8"),
        (b'{"t": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"n": 1} {"n": 2}', "not JSON"),
        (b"{'n': 1}", "not JSON"),
        (b"[1]", "not an object"),
        (b"null", "not an object"),
        (b'{"t": "' + b"x" * 5_000_000 + b'"}', "row over 1 MB"),
    ],
)
def test_a_line_that_reads_two_ways_or_not_at_all_is_rejected(write, line, reason):
    """Each fault has its own reason, and the next line is read with its right number."""
    rows = list(lines(write("in.jsonl", line + b"\n" + GOOD)))
    assert [(row.where, row.reason) for row in rows if isinstance(row, Rejected)] == [("in.jsonl:1", reason)]
    assert rows[1:] == [("in.jsonl:2", {"n": 1})]


def test_a_paired_surrogate_escape_is_an_ordinary_character(write):
    """Escaped emoji are text like any other."""
    assert [row.row for row in lines(write("in.jsonl", b'{"t": "\\ud83d\\ude00"}'))] == [{"t": "\U0001f600"}]


def test_a_row_too_long_is_never_held_whole(write):
    """A line of 50 MB costs a few megabytes of memory."""
    path = write("in.jsonl", b"x" * 50_000_000 + b"\n" + GOOD)
    tracemalloc.start()
    rows = list(lines(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [getattr(row, "reason", "") for row in rows] == ["row over 1 MB", ""]
    assert peak < 10_000_000


def test_a_missing_file_or_a_folder_is_an_error_with_its_name(tmp_path):
    """The path is in the message."""
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(CaifError, match="no such file"):
            list(lines(path))
