"""Prompt sources: every kind of file gives the same prompts, and an empty or wrong one says so."""

import json

import pytest

from caif.data import Prompt, Rejected
from caif.errors import CaifError
from caif.sources.prompts import from_csv, from_dataset, from_hh_rlhf, from_jsonl, from_oasst, from_parquet

TALK = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Go on"},
]


def test_json_lines_hold_texts_or_messages_with_tags_and_source(golden):
    """What a row says of itself is on the prompt; a row without a source has the file's name."""
    rows = list(from_jsonl(golden("prompts.jsonl"))())
    sea, moon, why = [row for row in rows if isinstance(row, Prompt)]
    assert (sea.text, sea.tags, sea.source) == ("Why is the sea salt?", ("science",), "hand")
    assert (moon.messages[0].role, moon.text, moon.source) == ("system", "Name a moon.", "prompts.jsonl")
    assert why.tags == ("science",)
    assert [(row.where, row.reason) for row in rows if isinstance(row, Rejected)] == [
        ("prompts.jsonl:3", "a prompt ends with a user message"),
        ("prompts.jsonl:4", "unknown key"),
        ("prompts.jsonl:5", "both prompt and messages"),
        ("prompts.jsonl:7", "missing key"),
    ]


def test_json_lines_of_any_shape_are_read_by_column(write):
    """With a column named, other keys are not looked at, and tags come from the columns named for them."""
    rows = [
        {"id": 1, "question": "Why?", "kind": "open", "marks": ["a", "b"]},
        {"id": 2, "question": TALK, "kind": None},
    ]
    path = write("in.jsonl", "\n".join(map(json.dumps, rows)))
    first, second = from_jsonl(path, column="question", tags_column=("kind", "marks"))()
    assert (first.text, first.tags) == ("Why?", ("open", "a", "b"))
    assert (second.chat, second.tags) == (TALK, ())


def test_csv_fields_may_span_lines_and_rows_are_named_by_their_first_line(golden):
    """Quoted newlines and quotes are text; a blank line, a short row and an empty prompt are not."""
    rows = list(from_csv(golden("prompts.csv"), tags_column=("type", "label"))())
    prompts = [row for row in rows if isinstance(row, Prompt)]
    assert [row.text for row in prompts] == ['Two lines:\nhow do I kill a process, "quickly"?', "What is a fuse?"]
    assert [row.tags for row in prompts] == [("homonyms", "safe"), ("definitions", "unsafe")]
    assert [(row.where, row.reason) for row in rows if isinstance(row, Rejected)] == [
        ("prompts.csv:6", "wrong number of cells"),
        ("prompts.csv:7", "the last user message is empty"),
    ]


def test_a_csv_field_may_be_longer_than_the_csv_module_allows(write):
    """A long document is a prompt like any other."""
    (row,) = from_csv(write("in.csv", "prompt\r\n" + "x" * 500_000 + "\r\n"))()
    assert len(row.text) == 500_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("prompt\n", "no usable rows; put prompts in it"),
        ("prompt\n \n", r"no usable rows; turned away: the last user message is empty \(1\); the first: in.csv:2"),
        ("promt,type\na,b\n", "no column 'prompt'; did you mean 'promt'"),
        ("prompt,prompt\na,b\n", "two columns are called 'prompt'"),
        ('prompt\n"never closed\nand on\n', "not valid CSV"),
        (b"prompt\nok\n\xff\n", "not UTF-8"),
        ("prompt\n" + "x" * 3_000_000, "a line over 1 MB"),
    ],
)
def test_a_csv_that_gives_no_prompts_says_why(write, content, message):
    """The message names the file and what to do."""
    with pytest.raises(CaifError, match=message) as raised:
        list(from_csv(write("in.csv", content))())
    assert "in.csv" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.code == 2


def test_parquet_gives_what_it_holds_and_names_the_nearest_column(tmp_path):
    """Texts and lists of messages are prompts; a null is turned away by its row."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"prompt": ["one", None, "two"], "tags": [["a"], [], ["b", "c"]], "n": [1, 2, 3]}), path)
    rows = list(from_parquet(path, tags_column="tags")())
    assert [(row.text, row.tags) for row in rows if isinstance(row, Prompt)] == [("one", ("a",)), ("two", ("b", "c"))]
    assert [row.where for row in rows if isinstance(row, Rejected)] == ["in.parquet:2"]
    with pytest.raises(CaifError, match="no column 'prompts'; did you mean 'prompt'"):
        list(from_parquet(path, column="prompts")())
    pq.write_table(pa.table({"prompt": [TALK]}), path)
    assert [row.chat for row in from_parquet(path)()] == [TALK]
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(CaifError, match="not valid Parquet"):
        list(from_parquet(path)())


def test_a_saved_data_set_is_read_by_split(tmp_path):
    """One split needs no name; several do, and a wrong name gets the nearest."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    one = datasets.Dataset.from_dict({"prompt": ["one", "two"], "kind": ["a", "b"]})
    one.save_to_disk(tmp_path / "one")
    datasets.DatasetDict(train=one, test=one.select([1])).save_to_disk(tmp_path / "two")
    assert [(row.text, row.tags) for row in from_dataset(tmp_path / "one", tags_column="kind")()] == [
        ("one", ("a",)), ("two", ("b",)),
    ]  # fmt: skip
    assert [row.text for row in from_dataset(tmp_path / "two", split="test")()] == ["two"]
    with pytest.raises(CaifError, match="no split 'tset'; did you mean 'test'"):
        list(from_dataset(tmp_path / "two", split="tset")())
    with pytest.raises(CaifError, match="no split ''; there are: test, train"):
        list(from_dataset(tmp_path / "two")())
    with pytest.raises(CaifError, match="no column 'promt'; did you mean 'prompt'"):
        list(from_dataset(tmp_path / "one", column="promt")())
    with pytest.raises(CaifError, match="not a saved data set"):
        list(from_dataset(tmp_path)())


def test_a_saved_data_set_cannot_lead_out_of_its_folder(tmp_path):
    """A state file that names a file elsewhere is not followed."""
    folder = tmp_path / "set"
    folder.mkdir()
    (tmp_path / "secret.arrow").write_bytes(b"secret")
    (folder / "state.json").write_text('{"_data_files": [{"filename": "../secret.arrow"}]}')
    with pytest.raises(CaifError, match=r"not a saved data set: .*secret\.arrow"):
        list(from_dataset(folder)())


def test_a_limit_takes_the_first_prompts_and_counts_no_rejected_rows(golden):
    """`limit` is about prompts, and it must leave some."""
    rows = list(from_csv(golden("prompts.csv"), limit=1)())
    assert len(rows) == 1
    assert sum(isinstance(row, Prompt) for row in from_jsonl(golden("prompts.jsonl"), limit=3)()) == 3
    with pytest.raises(CaifError, match="limit must be 1 or more, not 0"):
        from_csv(golden("prompts.csv"), limit=0)


def test_a_source_can_be_read_twice(golden):
    """Calling it again begins again."""
    source = from_hh_rlhf(golden("hh.jsonl"))
    assert list(source()) == list(source())


@pytest.mark.parametrize("make", [from_jsonl, from_csv, from_parquet, from_hh_rlhf, from_oasst, from_dataset])
def test_an_empty_file_and_a_missing_one_are_errors_with_their_names(write, tmp_path, make):
    """No source ends in silence, whatever it reads."""
    for path in (write("empty.file", ""), tmp_path / "none.file"):
        with pytest.raises(CaifError, match=path.name):
            list(make(path)())
