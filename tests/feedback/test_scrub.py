"""`caif feedback scrub`: every text of every row, the same find under the same name, counted and never shown."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from caif.data import Rejected
from caif.feedback.scrub import Scrubbed, scrub
from caif.formats.jsonl import Line

ANN, PHONE = "ann@example.org", "+49 30 1234567"
THUMB = {
    "prompt": f"I am {ANN}",
    "completion": f"Call {PHONE}, {ANN}",
    "up": True,
    "rater": "user-1",
    "raw": "in.jsonl:3",
}


def run(*rows):
    """Return the scrubbed rows and the report."""
    report = Scrubbed()
    lines = [Line(f"in.jsonl:{n}", row) for n, row in enumerate(rows, 1)]
    return list(scrub(lines, report)), report


def test_every_text_at_any_depth_is_masked_and_counted_by_kind_and_field():
    """Lists count under the name of the list; what is no text, and the order of keys, stays."""
    talk = [
        {"role": "user", "content": ANN},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": PHONE},
    ]
    (row,), report = run({"up": True, "prompt": talk, "n": [1, None, {"deep": [ANN]}]})
    assert list(row) == ["up", "prompt", "n"]
    assert [message["content"] for message in row["prompt"]] == ["<email-1>", "Hi", "<phone-1>"]
    assert row["n"] == [1, None, {"deep": ["<email-1>"]}]
    assert dict(report.found) == {
        ("email", "prompt.content"): 1,
        ("phone", "prompt.content"): 1,
        ("email", "n.deep"): 1,
    }


def test_placeholders_are_one_conversations():
    """The same person is the same number in all rows of a conversation, and says nothing across conversations."""
    rows, _ = run(
        {"prompt": f"x@y.org {ANN}", "conversation": "a"}, {"prompt": ANN, "conversation": "a"},
        {"prompt": ANN, "conversation": "b"}, {"prompt": ANN}, {"completion": f"z@z.org {ANN}", "prompt": ANN},
    )  # fmt: skip
    assert [row["prompt"] for row in rows] == [
        "<email-1> <email-2>",
        "<email-2>",
        "<email-1>",
        "<email-1>",
        "<email-1>",
    ]
    assert rows[4]["completion"] == "<email-2> <email-1>"


def test_two_raters_with_addresses_for_names_stay_two():
    """A placeholder would make them one; a salted hash does not, and the rest of the row is masked as ever."""
    rows, report = run(*({"prompt": ANN, "rater": name} for name in (ANN, "bob@example.org", ANN)))
    raters = [row["rater"] for row in rows]
    assert raters[0] == raters[2] != raters[1]
    assert all(rater.startswith("user-") and "@" not in rater for rater in raters)
    assert report.found["email", "rater"] == 3


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from([ANN, PHONE, f"to {ANN}", "1.2.3"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["prompt", "completion", "conversation", "rater", "x"]), VALUES), max_size=4
    )
)
def test_scrubbing_twice_is_scrubbing_once(rows):
    """Nothing is found in what was scrubbed, whatever the rows hold, and their shape stays."""
    once, report = run(*rows)
    again, nothing = run(*once)
    assert again == once
    assert (nothing.changed, dict(nothing.found)) == (0, {})
    assert [list(row) for row in once] == [list(row) for row in rows]
    assert report.rows == len(rows)
    assert ANN not in json.dumps(once)


def test_rows_that_cannot_be_read_are_counted_and_left_out():
    """What cannot be read cannot be masked."""
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    report = Scrubbed()
    rows = [Rejected(where="in.jsonl:1", reason="not JSON"), Line("in.jsonl:2", {"x": deep}), Line("in.jsonl:3", {})]
    assert list(scrub(rows, report)) == [{}]
    assert [(row["reason"], row["first"]) for row in report.table["left_out"]] == [
        ("not JSON", "in.jsonl:1"), ("nested too deep", "in.jsonl:2"),
    ]  # fmt: skip


def test_the_command_writes_the_rows_and_counts_what_it_found_without_showing_it(write, caif):
    """The values themselves are on no screen, and the file that was read is as it was."""
    before = write("in.jsonl", THUMB, THUMB, {"prompt": "hi"}).read_bytes()
    result = caif("feedback", "scrub", "in.jsonl", "-o", "out.jsonl")
    assert result.exit_code == 0, result.output
    assert "out.jsonl: 3 rows, 2 of them changed" in result.output
    assert [line for line in result.output.splitlines() if "email" in line and "completion" in line and " 2 " in line]
    assert "example.org" not in result.output
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert rows[0] == THUMB | {"prompt": "I am <email-1>", "completion": "Call <phone-1>, <email-1>"}
    assert Path("in.jsonl").read_bytes() == before
    report = json.loads(caif("feedback", "scrub", "in.jsonl", "-o", "two.jsonl", "--json").stdout)
    assert (report["rows"], report["changed"], report["left_out"]) == (3, 2, [])
    assert {"kind": "phone", "field": "completion", "count": 2} in report["found"]


def test_nothing_is_overwritten_unasked_and_nothing_half_is_left(write, caif):
    """A file that is there stays until --force; where there is nothing to write, there is no file."""
    write("in.jsonl", THUMB)
    write("out.jsonl", {"mine": 1})
    assert "is there already" in caif("feedback", "scrub", "in.jsonl", "-o", "out.jsonl").stderr
    assert Path("out.jsonl").read_text() == '{"mine": 1}\n'
    assert caif("feedback", "scrub", "in.jsonl", "-o", "out.jsonl", "--force").exit_code == 0
    write("bad.jsonl", b"no JSON\n")
    result = caif("feedback", "scrub", "bad.jsonl", "-o", "bad-out.jsonl")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert sorted(path.name for path in Path().iterdir()) == ["bad.jsonl", "in.jsonl", "out.jsonl"]
