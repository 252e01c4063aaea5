"""Feedback whose texts lie in another file: the file is found, checked, and part of what the feedback is."""

import json
import shutil

import pytest
from damage import damage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import DATA, EXPORTS

from caif.data import Rejected
from caif.errors import CaifError
from caif.formats import caif_feedback_formats
from caif.plugins import load

TWO = {
    name: next(key for key in export.options if key in ("steps", "runs", "traces", "spans", "messages"))
    for name, export in EXPORTS.items()
    if name in ("chainlit", "langsmith", "langfuse", "phoenix", "vercel")
}


@pytest.mark.parametrize("name", TWO)
def test_without_the_texts_a_reader_says_which_option_names_them(name):
    """In one line, when the run file is checked."""
    with pytest.raises(CaifError, match=f"{name} needs the option '{TWO[name]}'"):
        load().make("caif_feedback_formats", name, {})


@pytest.mark.parametrize("name", TWO)
def test_a_file_that_holds_no_texts_is_an_error_with_its_name(name, write, tmp_path):
    """Not a thousand rows that each found no text."""
    make = caif_feedback_formats()[name]
    for other in (write("other.jsonl", '{"some": "thing"}\n'), tmp_path / "nowhere.jsonl"):
        with pytest.raises(CaifError, match=other.name):
            list(make(**{TWO[name]: other})(EXPORTS[name].path))


@pytest.mark.parametrize("name", TWO)
def test_what_is_broken_in_the_file_of_texts_is_counted_too(name, tmp_path):
    """A torn line there is a row that is missing somewhere."""
    export = EXPORTS[name]
    broken = tmp_path / "texts.jsonl"
    broken.write_text(export.options[TWO[name]].read_text() + "{torn\n")
    rows = list(caif_feedback_formats()[name](**{TWO[name]: broken})(export.path))
    assert [row.reason for row in rows if isinstance(row, Rejected) and row.where.startswith("texts.jsonl")] == [
        "not JSON"
    ]


def test_threads_that_carry_their_feedback_are_both_files(write):
    """As Chainlit's data layer returns a thread."""
    said = [
        ("s-1", "user_message", "Why?", None),
        ("s-2", "assistant_message", "So.", {"id": "f", "forId": "s-2", "value": 0}),
    ]
    steps = [
        {"id": i, "threadId": "t", "type": kind, "output": text, "feedback": thumb} for i, kind, text, thumb in said
    ]
    path = write("threads.jsonl", json.dumps({"id": "t", "userId": "u", "steps": steps}))
    (row,) = caif_feedback_formats()["chainlit"](steps=path)(path)
    assert (row.prompt.text, row.completion, row.up, row.origin.raw) == ("Why?", "So.", False, "f")
    assert row.rater.startswith("user-")


def test_json_in_the_cells_of_a_table_is_not_taken_for_what_was_said(write):
    """Traces are read from JSON alone, and parts of messages are never text."""
    for name in ("langsmith", "langfuse"):
        table = write("texts.csv", 'id,inputs,input\nr-1,"{""question"": ""Why?""}",x\n')
        with pytest.raises(CaifError, match="texts.csv: no row has an id; is this the file of the texts, as JSON"):
            list(caif_feedback_formats()[name](**{TWO[name]: table})(EXPORTS[name].path))
    parts = json.dumps([{"type": "text", "text": "Why?"}]).replace('"', '""')
    answer = parts.replace("Why", "So")
    table = write("messages.csv", f'id,chatId,role,parts\nv-1,c,user,"{parts}"\nv-2,c,assistant,"{answer}"\n')
    (row,) = caif_feedback_formats()["vercel"](messages=table)(
        write("votes.jsonl", '{"messageId": "v-2", "isUpvoted": true}')
    )
    assert (row.prompt.text, row.completion) == ("Why?", "So?")


@pytest.mark.parametrize("name", TWO)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_texts_give_rows_or_one_line(name, tmp_path, data):
    """Whatever stands where texts should, at any depth, no other error comes of it."""
    texts = [json.loads(line) for line in EXPORTS[name].options[TWO[name]].read_text().splitlines()]
    for _ in range(data.draw(st.integers(1, 3))):
        damage(data.draw(st.sampled_from(texts)), data)
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(map(json.dumps, texts)))
    try:
        assert all(row.id for row in caif_feedback_formats()[name](**{TWO[name]: path})(EXPORTS[name].path))
    except CaifError as error:
        assert "\n" not in str(error)


def test_changed_texts_make_other_feedback(tmp_path):
    """A run reads anew when the second file changes, not only when the first one does; its path starts at the run file."""
    for file in ("chainlit.jsonl", "chainlit_steps.jsonl"):
        shutil.copy(DATA / file, tmp_path)
    options = {"path": "chainlit.jsonl", "format": "chainlit", "reader": {"steps": "chainlit_steps.jsonl"}}

    def key():
        return json.dumps(load().identity("caif_feedback_sources", "thumbs", options, tmp_path), default=str)

    before = key()
    assert before == key()
    with (tmp_path / "chainlit_steps.jsonl").open("a") as texts:
        texts.write('{"id": "s-99"}\n')
    assert key() != before
