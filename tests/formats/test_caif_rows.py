"""caif's own thumbs and pairs: what is written is what is read, and nothing is guessed."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caif.data import Message, Origin, Preference, Prompt, Rating, Rejected
from caif.formats.caif_rows import caif_rows

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def test_thumbs_and_pairs_are_read_from_one_file(golden):
    """Every field that a row names is on the row; those it leaves out have their defaults."""
    rows = [row for row in caif_rows()(golden("thumbs.jsonl")) if not isinstance(row, Rejected)]
    egg, tea = Prompt.of("How long do I boil an egg?"), ["Hi", "Hello!", "Is tea a herb?"]
    talk = tuple(
        Message(role=role, content=said) for role, said in zip(("user", "assistant", "user"), tea, strict=True)
    )
    soft = "Seven minutes for a soft yolk."
    assert [row.origin.raw for row in rows] == [f"thumbs.jsonl:{n}" for n in (1, 2, 4, 5)]
    assert [row.but(origin=Origin()) for row in rows] == [
        Rating(prompt=egg, completion=soft, up=True, objective="helpfulness", rater="ann"),
        Rating(
            prompt=Prompt(messages=talk), completion="No.", up=False, weight=0.5, objective="honesty", rater="bob",
            reason="too short",
        ),
        Rating(prompt=egg, completion=soft, up=False, objective="helpfulness", rater="bob"),
        Preference(
            prompt=Prompt.of("Name a river."), chosen="The Danube.", rejected="River.", probability=0.9,
            objective="helpfulness", rater="ann",
        ),
    ]  # fmt: skip


def test_where_a_label_comes_from_is_read_with_it(write):
    """Time, conversation, record and the answer that was wanted instead are on the row, and are not part of its id."""
    thumb = {"prompt": "a", "completion": "b", "up": False, "correction": "c"}
    told = {"at": 1700000000.5, "conversation": "chat-1", "raw": "record 7"}
    plain, full = caif_rows()(write("in.jsonl", f"{json.dumps(thumb)}\n{json.dumps(thumb | told)}"))
    assert (full.correction, full.origin) == ("c", Origin(raw="record 7", at=1700000000.5, conversation="chat-1"))
    assert full.id == plain.id


@pytest.mark.parametrize(
    ("at", "reason"), [("yesterday", "at is not a number"), (1.7e12, "at out of range"), (-1, "at out of range")]
)
def test_a_time_is_in_seconds(write, at, reason):
    """Milliseconds would put a vote thousands of years ahead."""
    (row,) = caif_rows()(write("in.jsonl", json.dumps({"prompt": "a", "completion": "b", "up": True, "at": at})))
    assert row.reason == reason


def test_each_row_that_cannot_be_used_says_where_and_why(golden):
    """The reasons are few enough to be counted and the line is named."""
    rejected = [row for row in caif_rows()(golden("thumbs.jsonl")) if isinstance(row, Rejected)]
    assert [(row.where.split(":")[1], row.reason) for row in rejected] == [
        ("6", "ambiguous polarity"),
        ("7", "ambiguous polarity"),
        ("8", "ambiguous polarity"),
        ("9", "missing key"),
        ("10", "unknown key"),
        ("11", "unknown key"),
        ("12", "prompt is neither text nor messages"),
        ("13", "completion is empty"),
        ("14", "identical answers"),
        ("15", "probability out of range"),
        ("16", "weight is not a number"),
        ("17", "not JSON"),
        ("18", "a prompt ends with a user message"),
        ("19", "unknown role"),
        ("20", "NaN or Infinity"),
        ("21", "a key stands twice"),
        ("22", "lone surrogate"),
        ("23", "not an object"),
    ]


def test_a_misspelt_key_is_named_with_the_one_that_was_meant(golden):
    """A rater is not lost because of a letter."""
    details = [row.detail for row in caif_rows()(golden("thumbs.jsonl")) if getattr(row, "reason", "") == "unknown key"]
    assert details == ["'ratr': did you mean 'rater'?", "'promt': did you mean 'prompt'?"]


@pytest.mark.parametrize("up", [0, 1, -1, 1.0, "1", "true", "👍", None, [], {}])
def test_a_thumb_that_is_not_true_or_false_is_no_thumb(write, up):
    """0 is down in one product and a draw in another, so a number is never taken for a thumb."""
    (row,) = caif_rows()(write("in.jsonl", json.dumps({"prompt": "a", "completion": "b", "up": up})))
    assert (row.reason, row.where) == ("ambiguous polarity", "in.jsonl:1")


def test_contradictory_thumbs_on_one_answer_stay_two_thumbs(golden):
    """No pair is invented from two people who disagree about one answer."""
    rows = list(caif_rows()(golden("thumbs.jsonl")))
    thumbs = [row for row in rows if isinstance(row, Rating) and row.prompt.text.startswith("How long")]
    assert [row.up for row in thumbs] == [True, False]
    assert len({row.completion for row in thumbs}) == 1
    assert sum(isinstance(row, Preference) for row in rows) == 1


def test_rows_that_name_no_objective_get_that_of_the_reader(golden):
    """A row's own objective is stronger."""
    rows = [row for row in caif_rows(objective="taste")(golden("thumbs.jsonl")) if not isinstance(row, Rejected)]
    assert [row.objective for row in rows] == ["taste", "honesty", "taste", "taste"]


def test_a_shuffled_or_longer_file_gives_the_same_rows(golden, write):
    """A row's id depends on its content, so nothing done before is done again."""
    text = golden("thumbs.jsonl").read_text()
    before = {row.id for row in caif_rows()(golden("thumbs.jsonl")) if not isinstance(row, Rejected)}
    turned = "\n".join([*reversed(text.splitlines()), '{"prompt": "new", "completion": "one", "up": true}'])
    after = {row.id for row in caif_rows()(write("turned.jsonl", turned)) if not isinstance(row, Rejected)}
    assert before < after
    assert len(after) == len(before) + 1


@settings(deadline=None)
@given(prompt=TEXT, completion=TEXT, up=st.booleans(), reason=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_thumb_survives_its_file(tmp_path_factory, prompt, completion, up, reason):
    """Any text at all, control characters and line separators included, comes back as it was."""
    path = tmp_path_factory.mktemp("rows") / "in.jsonl"
    row = {"prompt": prompt, "completion": completion, "up": up, "reason": reason}
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8", newline="")
    (rating,) = caif_rows()(path)
    assert (rating.prompt.text, rating.completion, rating.up, rating.reason) == (prompt, completion, up, reason)


@settings(deadline=None)
@given(turns=st.lists(TEXT, min_size=1, max_size=5), chosen=TEXT, rejected=TEXT, sure=st.floats(0, 1))
def test_any_pair_survives_its_file(tmp_path_factory, turns, chosen, rejected, sure):
    """Conversations of any length and probabilities of any precision come back as they were."""
    path = tmp_path_factory.mktemp("rows") / "in.jsonl"
    roles = ["user", "assistant"] * 3
    messages = [{"role": r, "content": t} for r, t in zip(roles[1 - len(turns) % 2 :], turns, strict=False)]
    row = {"prompt": messages, "chosen": chosen, "rejected": rejected + "!", "probability": sure}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    (read,) = caif_rows()(path)
    if chosen == rejected + "!":
        assert read.reason == "identical answers"
    else:
        assert (read.prompt.chat, read.chosen, read.rejected) == (messages, chosen, rejected + "!")
        assert read.probability == sure
