"""A file's format is told by its keys, before anything is read from it."""

import json

import pytest
from readers import DATA, EXPORTS

from caif.data import Rejected
from caif.errors import CaifError
from caif.formats import caif_feedback_formats
from caif.formats.recognise import SIGNS, hinted, recognise
from caif.formats.rows import any_rows

KNOWN = {name: export for name, export in EXPORTS.items() if export.format != "table"}


@pytest.mark.parametrize("name", KNOWN)
def test_every_file_by_hand_is_recognised(name):
    """First of all guesses, and surely, with what its reader needs beside it."""
    export = KNOWN[name]
    first, *others = recognise(export.path)
    assert first.format == export.format
    assert first.sure > 0.5
    assert all(other.sure < first.sure for other in others)
    option = next((key for key in ("steps", "runs", "traces", "spans", "messages") if key in export.options), "")
    assert first.needs.startswith(f"{option}=FILE" if option else "")


def test_every_sign_is_of_a_format_that_there_is():
    """And every format but the table has one; votes of `caif review` are told apart where they are written."""
    formats = set(caif_feedback_formats())
    assert {sign.format for sign in SIGNS} <= formats
    assert formats - {sign.format for sign in SIGNS} <= {"table", "reviews"}


@pytest.mark.parametrize("name", ["table", "table of pairs"])
def test_other_keys_are_a_table_to_be_mapped(name):
    """Its columns are named; what they mean is the user's to say."""
    (guess,) = recognise(EXPORTS[name].path)
    assert (guess.format, guess.needs) == ("table", "map={…}, and up=[…] and down=[…] for a rating")
    assert "question" in guess.why or "good" in guess.why


def test_parquet_is_told_by_its_columns(tmp_path):
    """Nothing but the schema is read."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"prompt": ["a"], "completion": ["b"], "label": [True]}), tmp_path / "in.parquet")
    assert recognise(tmp_path / "in.parquet")[0].format == "trl-unpaired"


def test_an_open_webui_csv_is_known_and_what_to_export_instead(golden):
    """It holds no text."""
    assert recognise(golden("open_webui_export.csv"))[0].needs.startswith("the JSON export")


def test_a_folder_is_what_its_files_are(tmp_path):
    """The surest of them."""
    (tmp_path / "runs.jsonl").write_text((DATA / "langsmith_runs.jsonl").read_text())
    (tmp_path / "feedback.jsonl").write_text((DATA / "langsmith.jsonl").read_text())
    assert recognise(tmp_path)[0].format == "langsmith"


@pytest.mark.parametrize(
    "content", ["", "\n\n", "{torn", "[1, 2]", "one word", b"\xff\xfe\x00", b"PAR1 and no more", "[" * 9999]
)
def test_what_is_no_feedback_is_recognised_as_nothing(write, content):
    """Without an error: the reader will have one."""
    assert recognise(write("in.file", content)) == []


def test_a_missing_file_is_an_error(tmp_path):
    """A guess about nothing helps nobody."""
    with pytest.raises(CaifError, match="no such file"):
        recognise(tmp_path / "none.jsonl")


def test_the_error_of_a_wrong_file_says_whose_it_looks_like(golden):
    """In one line, after what is wrong."""
    with pytest.raises(CaifError) as raised:
        list(hinted(caif_feedback_formats()["icai"]()(golden("gradio_log.csv")), golden("gradio_log.csv"), "icai"))
    assert str(raised.value).endswith(
        "gradio_log.csv: no column 'text_a'; it looks like gradio: rows of gradio_log.csv have conversation, index, value, "
        "flag, timestamp"
    )


def test_an_error_of_the_right_file_is_left_as_it_is(write):
    """Nothing else is suggested where nothing else fits."""
    path = write("in.json", '[{"data": {}, "meta": {}, "snapshot": {}}, {')
    with pytest.raises(CaifError, match="not valid JSON.*; export it again"):
        list(hinted(caif_feedback_formats()["open-webui"]()(path), path, "open-webui"))


def test_rows_pass_through(golden):
    """The hint is for errors alone."""
    rows = caif_feedback_formats()["caif"]()(golden("thumbs.jsonl"))
    assert sum(isinstance(row, Rejected) for row in hinted(rows, golden("thumbs.jsonl"), "caif")) == 18


def test_only_the_first_rows_are_looked_at(write):
    """A file of a million rows is recognised at once."""
    rows = [{"prompt": "a", "completion": "b", "up": True}] * 20 + [{"chosen": "a", "rejected": "b"}] * 50
    assert {guess.format for guess in recognise(write("in.jsonl", "\n".join(map(json.dumps, rows))))} == {
        "caif",
        "table",
    }


@pytest.mark.parametrize("more", [{"probability": 0.2}, {"weight": 0.5}, {"principle": "kind"}, {"rater": "ada"}])
def test_pairs_that_say_more_than_trl_reads_are_ours(tmp_path, more):
    """Read as TRL's they would be certain: a pair of probability 0.2 would say the contrary of what it does."""
    pair = {"prompt": "a", "chosen": "b", "rejected": "c"}
    (tmp_path / "in.jsonl").write_text(json.dumps(pair | more))
    assert recognise(tmp_path / "in.jsonl")[0].format == "caif"
    (tmp_path / "in.jsonl").write_text(json.dumps(pair))
    assert recognise(tmp_path / "in.jsonl")[0].format == "trl"


@pytest.mark.parametrize("name", ["icai", "llmbar"])
def test_what_is_recognised_in_other_files_can_be_read_there(name, tmp_path):
    """The same rows as JSON lines, whatever they were published in."""
    published = EXPORTS[name]
    rows = list(any_rows(published.path))
    lines = [json.dumps(item.row) for item in rows if not isinstance(item, Rejected)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    assert recognise(tmp_path / "in.jsonl")[0].format == name
    found = [row for row in published.reader()(tmp_path / "in.jsonl") if not isinstance(row, Rejected)]
    assert found == [row.but(origin=one.origin) for row, one in zip(usable(published), found, strict=True)]


def usable(export):
    """Return the rows of a file by hand that can be used."""
    return [row for row in export.reader()(export.path) if not isinstance(row, Rejected)]
