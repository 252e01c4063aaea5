"""Tables of one's own: columns are mapped by name, polarity is declared, and what makes no rows is refused at once."""

import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import EXPORTS

from caif.data import Preference, Rating, Rejected
from caif.errors import CaifError
from caif.formats.table import table

THUMBS = {"prompt": "q", "response": "a", "rating": "stars"}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), min_size=1, max_size=30).filter(
    str.strip
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"map": THUMBS}, "which values are up and which are down is not told"),
        ({"map": THUMBS, "up": (1,)}, "which values are up and which are down is not told"),
        ({"map": THUMBS, "up": (1, 0), "down": (0,)}, "up and down both hold 0"),
        (
            {"map": THUMBS | {"comment": "c"}, "up": (1,), "down": (0,)},
            "map has 'comment' on its left, which is no field of a thumb or pair; did you mean",
        ),
        (
            {"map": {"question": "prompt"}},
            'map has .question. on its left.*; the field stands on the left: prompt = "question"',
        ),
        ({"map": {"prompt": "q"}}, "map makes neither thumbs nor pairs"),
        ({"map": {"prompt": "q", "response": "a"}}, "map makes neither thumbs nor pairs"),
        ({"map": {"chosen": "a", "rejected": "b"}}, "map makes neither thumbs nor pairs"),
        ({"map": THUMBS | {"chosen": "a", "rejected": "b"}, "up": (1,), "down": (0,)}, "neither thumbs nor pairs"),
        ({"map": {"prompt": "q", "chosen": "a", "rejected": "b"}, "up": (1,)}, "not which column is the rating"),
    ],
)
def test_a_map_that_makes_no_rows_is_refused_before_any_file_is_read(options, message):
    """With what would make some."""
    with pytest.raises(CaifError, match=message):
        table(**options)


def test_a_column_that_is_not_there_is_named_with_the_nearest(write):
    """A broken header is an error of the file, not of each row."""
    with pytest.raises(CaifError, match=r"in\.csv: no column 'stars'; did you mean 'star'\?"):
        list(table(THUMBS, up=(1,), down=(0,))(write("in.csv", "q,a,star\nWhy?,So.,1\n")))


def test_a_header_alone_gives_no_rows_and_no_error_of_python(write):
    """The source that reads it says that nothing came."""
    assert list(table(THUMBS, up=(1,), down=(0,))(write("in.csv", "q,a,stars\n"))) == []


def test_zero_means_what_it_was_said_to_mean(write):
    """Down in one product, a draw in another."""
    path = write("in.csv", "q,a,stars\nWhy?,So.,0\nWhy?,Thus.,1\nWhy?,Hm.,-1\n")
    down, up, other = table(THUMBS, up=(1,), down=(0,))(path)
    assert (down.up, up.up, other.reason) == (False, True, "ambiguous polarity")
    draw, up, down = table(THUMBS, up=(1,), down=(-1,))(path)
    assert (draw.reason, up.up, down.up) == ("ambiguous polarity", True, False)


def test_parquet_and_a_folder_give_what_csv_gives(tmp_path):
    """Gradio's Interface writes dataset1.csv, dataset2.csv, … into one folder, with its time and its user."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {
        "name": ["Why?", "How?"],
        "output": ["So.", "Thus."],
        "flag": ["good", "bad"],
        "username": ["ann", "bob"],
    }
    folder = tmp_path / "flagged"
    folder.mkdir()
    for n in range(2):
        with (folder / f"dataset{n + 1}.csv").open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerows([list(columns), [values[n] for values in columns.values()]])
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    map = {"prompt": "name", "response": "output", "rating": "flag", "rater": "username"}
    read = table(map, up=("good",), down=("bad",))
    thumbs = [(row.prompt.text, row.completion, row.up, row.rater) for row in read(folder)]
    assert thumbs == [(row.prompt.text, row.completion, row.up, row.rater) for row in read(tmp_path / "in.parquet")]
    assert [(up, rater != "") for _, _, up, rater in thumbs] == [(True, True), (False, True)]
    (tmp_path / "none").mkdir()
    with pytest.raises(CaifError, match="none: is empty"):
        list(read(tmp_path / "none"))


def test_names_of_people_do_not_come_through():
    """Neither of raters nor of chats."""
    export = EXPORTS["table"]
    rows = [row.model_dump_json() for row in export.reader()(export.path)]
    assert not any(name in row for row in rows for name in ("ann@", "bob@", "cy@", "chat 1"))


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(TEXT, TEXT, st.booleans(), TEXT), min_size=1, max_size=5))
def test_any_thumb_survives_a_table_of_each_kind(tmp_path_factory, rows):
    """Commas, quotes, line breaks, formulas: what was written is what is read."""
    folder = tmp_path_factory.mktemp("table")
    with (folder / "in.csv").open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("q", "a", "stars", "why"), *rows])
    keys = ("q", "a", "stars", "why")
    (folder / "in.jsonl").write_text("".join(json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in rows))
    read = table(THUMBS | {"reason": "why"}, up=(True,), down=(False,))
    for name in ("in.csv", "in.jsonl"):
        got = [(row.prompt.text, row.completion, row.up, row.reason) for row in read(folder / name)]
        assert got == [(q, a, up, why.strip()) for q, a, up, why in rows]


@settings(max_examples=25, deadline=None)
@given(question=TEXT, one=TEXT, other=TEXT)
def test_any_pair_survives_a_table(tmp_path_factory, question, one, other):
    """Or is turned away as no comparison."""
    path = tmp_path_factory.mktemp("table") / "in.jsonl"
    path.write_text(json.dumps({"q": question, "a": one, "b": other}))
    (row,) = table({"prompt": "q", "chosen": "a", "rejected": "b"})(path)
    assert isinstance(row, Rejected) if one == other else isinstance(row, Preference)
    assert one == other or (row.prompt.text, row.chosen, row.rejected) == (question, one, other)


def test_thumbs_are_ratings():
    """And pairs are not."""
    assert {type(row) for row in EXPORTS["table"].reader()(EXPORTS["table"].path)} == {Rating, Rejected}


def test_dots_lead_into_what_a_row_holds(write):
    """A stored chat completion has its thumb in metadata, and the answer in a list; a column of that very name comes first."""
    row = {
        "id": "chatcmpl-1", "messages": [{"role": "user", "content": "why?"}], "metadata": {"rating": "up", "user": "u-1"},
        "choices": [{"message": {"role": "assistant", "content": "because"}}],
    }  # fmt: skip
    nowhere = [{**row, "choices": []}, {**row, "choices": None}, {**row, "metadata": {}}]
    named = {**row, "metadata.rating": "down"}
    columns = {"prompt": "messages", "response": "choices.0.message.content", "rating": "metadata.rating"}
    file = write("stored.jsonl", "".join(f"{json.dumps(one)}\n" for one in (row, named, *nowhere)))
    found = list(table({**columns, "rater": "metadata.user"}, up=("up",), down=("down",))(file))
    assert [(one.completion, one.up) for one in found[:2]] == [("because", True), ("because", False)]
    assert found[0].rater.startswith("user-")
    assert [one.reason for one in found[2:]] == ["response is not text", "response is not text", "no rating"]
