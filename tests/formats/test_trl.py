"""TRL's data sets are read as TRL reads them."""

import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from caif.data import Rejected
from caif.formats.trl import trl, trl_unpaired

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
ROLES = ("user", "assistant")


def read(path, row, reader):
    """Return the one row that a reader makes of a row."""
    path.write_text(json.dumps(row))
    (made,) = reader(path)
    return made


@pytest.fixture(scope="session")
def extract():
    """Return TRL's own way of finding an implicit prompt."""
    return pytest.importorskip("trl.data_utils").extract_prompt


@settings(max_examples=40, deadline=None)
@given(shared=TEXT, chosen=TEXT, rejected=TEXT)
def test_an_implicit_prompt_in_text_ends_where_trl_ends_it(tmp_path_factory, extract, shared, chosen, rejected):
    """Where the texts part, one blank earlier."""
    row = {"chosen": f"{shared} {chosen}", "rejected": f"{shared} {rejected}"}
    made = read(tmp_path_factory.mktemp("trl") / "in.jsonl", row, trl())
    theirs = extract(row)
    assume(not isinstance(made, Rejected))
    assert {"prompt": made.prompt.text, "chosen": made.chosen, "rejected": made.rejected} == theirs


@settings(max_examples=25, deadline=None)
@given(turns=st.lists(TEXT, min_size=1, max_size=5).filter(lambda turns: len(turns) % 2), chosen=TEXT, rejected=TEXT)
def test_an_implicit_prompt_in_messages_is_what_both_share(tmp_path_factory, extract, turns, chosen, rejected):
    """All but the last answer."""
    assume(chosen != rejected)
    talk = [{"role": ROLES[n % 2], "content": text} for n, text in enumerate(turns)]
    row = {
        key: [*talk, {"role": "assistant", "content": text}]
        for key, text in (("chosen", chosen), ("rejected", rejected))
    }
    made, theirs = read(tmp_path_factory.mktemp("trl") / "in.jsonl", row, trl()), extract(row)
    assert made.prompt.chat == theirs["prompt"] == talk
    assert [made.chosen, made.rejected] == [theirs["chosen"][0]["content"], theirs["rejected"][0]["content"]]


@settings(max_examples=25, deadline=None)
@given(prompt=TEXT, completion=TEXT, label=st.booleans())
def test_any_unpaired_row_survives(tmp_path_factory, prompt, completion, label):
    """As text and as messages."""
    path = tmp_path_factory.mktemp("trl") / "in.jsonl"
    plain = {"prompt": prompt, "completion": completion, "label": label}
    talk = {
        "prompt": [{"role": "user", "content": prompt}],
        "completion": [{"role": "assistant", "content": completion}],
        "label": label,
    }
    for row in (plain, talk):
        made = read(path, row, trl_unpaired())
        assert (made.prompt.text, made.completion, made.up) == (prompt, completion, label)


@pytest.mark.parametrize("label", [1, 0, "1", "true", None, [], 1.0])
def test_a_label_that_is_not_true_or_false_is_refused(write, label):
    """As TRL's trainer would misread it."""
    (row,) = trl_unpaired()(write("in.jsonl", json.dumps({"prompt": "p", "completion": "c", "label": label})))
    assert row.reason == "ambiguous polarity"


def test_a_pair_whose_rejected_answer_is_the_likelier_is_refused(write):
    """It would be taken for certain the wrong way round; what `caif export` writes beside the texts is never so."""
    pair = {"prompt": "p", "chosen": "c", "rejected": "d"}
    lines = "".join(json.dumps(pair | {"probability": sure}) + "\n" for sure in (0.2, 0.9))
    wrong, right = trl()(write("in.jsonl", lines))
    assert wrong.reason == "chosen is not the likelier answer"
    assert right.chosen == "c"
