"""Rows are what they say: ids follow content, and what is no number, no text or no verdict is refused."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from caif.content import digest, rng
from caif.data import Comparison, Completion, Judgement, Message, Preference, Prompt, Rating, Turn, split_of
from caif.store import read_rows, write_rows
from caif.text import is_whole, whole

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
json_values = st.recursive(
    scalars, lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(), x, max_size=4), max_leaves=12
)
texts = st.text(alphabet=st.characters())  # every code point, halves of surrogate pairs too
PROMPT = Prompt.of("What is rain?", tags=["weather"])


def shuffled(value: Any) -> Any:
    """Return the same JSON value with the keys of every table in the other order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def judgement(**changes: Any) -> Judgement:
    comparison = Comparison(prompt=PROMPT, a="Water.", b="Wet.")
    return Judgement(
        **{"comparison": comparison, "principle": "p", "objective": "o", "judge": "j", "verdict": "a"} | changes
    )


@given(json_values)
def test_a_digest_ignores_the_order_of_keys(value: Any) -> None:
    """Two tables that say the same have one digest, however they were put together."""
    assert digest(value) == digest(shuffled(value))


@given(json_values, json_values)
def test_a_digest_ignores_nothing_but_the_order_of_keys(one: Any, other: Any) -> None:
    """Whatever differs as JSON has another digest: 1 is not "1", not true and not 1.0."""
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(one) == digest(other)) == same


@pytest.mark.parametrize(
    ("one", "other"), [(1, "1"), (1, True), (1, 1.0), ("a", "a "), (["ab"], ["a", "b"]), (None, "null"), ({}, [])]
)
def test_values_that_look_alike_have_digests_of_their_own(one: object, other: object) -> None:
    """Near misses are other content."""
    assert digest(one) != digest(other)


def test_a_draw_depends_on_its_seeds_alone() -> None:
    """The same seeds draw the same in any order of calls and in any process; the literal pins it across versions."""
    first = rng("a", 1).random()
    rng("b", 2).random()
    assert rng("a", 1).random() == first == pytest.approx(0.8069842644)


@given(texts, scalars, scalars, st.lists(texts | st.floats(), max_size=2).map(tuple))
def test_an_id_is_the_digest_of_the_fields_as_json(
    text: str, one: object, other: object, said: tuple[Any, ...]
) -> None:
    """Written by hand for speed, field by field; what a field may not hold is written as JSON writes it, too."""
    row = judgement(p_a=0.9).noting(reason=text, logit_ab=one, logit_ba=other, mass=math.inf, said=said)
    content = {name: getattr(row, name) for name in Judgement.model_fields if name not in {"id", *Judgement.apart}}
    as_json = content | {"row": "Judgement", "comparison": row.comparison.id, "said": [*said]}
    assert row.id == digest(as_json)


def test_a_row_with_an_id_that_is_not_its_contents_is_refused() -> None:
    """An id is a promise about the content, so a row whose content was changed under its id is not read."""
    stored = PROMPT.model_dump()
    assert Prompt.model_validate(stored) == PROMPT
    stored["messages"][0]["content"] = "What is snow?"
    with pytest.raises(ValidationError, match="does not match its content"):
        Prompt.model_validate(stored)


def test_tampering_deep_inside_a_row_is_seen() -> None:
    """The row inside a row is checked as well."""
    stored = Completion(prompt=PROMPT, text="Water.", model="m").model_dump()
    stored["prompt"]["messages"][0]["content"] = "What is snow?"
    with pytest.raises(ValidationError, match="does not match its content"):
        Completion.model_validate(stored)


def test_rows_of_different_kinds_with_equal_fields_have_different_ids() -> None:
    """The kind of a row is part of its content."""
    both = {"prompt": PROMPT, "objective": "o"}
    assert Rating(**both, completion="x", up=True).id != Rating(**both, completion="x", up=False).id
    assert PROMPT.id != Prompt(messages=(*PROMPT.messages, Message(role="assistant", content="?"), *PROMPT.messages)).id


def test_where_a_prompt_comes_from_is_not_part_of_what_it_is() -> None:
    """Tags, source and split describe a prompt; the same conversation from two files is one prompt."""
    assert PROMPT.id == Prompt.of("What is rain?", source="elsewhere").but(split="heldout").id


def test_a_changed_row_has_the_id_of_its_new_content() -> None:
    """`but` never carries the old id along."""
    row = Preference(prompt=PROMPT, chosen="a", rejected="b", probability=0.7, objective="o")
    assert row.but(weight=2).id == row.model_copy(update={"id": ""}).but(weight=2.0).id != row.id
    assert row.noting(weight=2.0) == row.but(weight=2.0)


@given(texts, texts)
def test_swapping_twice_changes_nothing(a: str, b: str) -> None:
    """swap(swap(x)) is x, and swap(x) is another row unless both answers are one."""
    comparison = Comparison(prompt=PROMPT, a=whole(a), b=whole(b))
    assert comparison.swap().swap() == comparison
    assert (comparison.swap().id == comparison.id) == (whole(a) == whole(b))


@pytest.mark.parametrize("verdict", ["not_applicable", "invalid", "refused", "filtered", "error"])
def test_a_failed_judgement_cannot_carry_a_probability(verdict: str) -> None:
    """P3: no failure becomes a preference, not even by a source's mistake."""
    assert judgement(verdict=verdict).p_a is None
    with pytest.raises(ValidationError, match="is not possible"):
        judgement(verdict=verdict, p_a=0.5)


@pytest.mark.parametrize("verdict", ["a", "b", "tie"])
def test_a_verdict_needs_a_probability(verdict: str) -> None:
    """A verdict without a number could not become a soft label, so there is none."""
    with pytest.raises(ValidationError, match="is not possible"):
        judgement(verdict=verdict)


@pytest.mark.parametrize(("verdict", "p_a"), [("a", 0.49), ("b", 0.51), ("a", 0.0), ("b", 1.0)])
def test_a_verdict_cannot_contradict_its_probability(verdict: str, p_a: float) -> None:
    """Win rates count verdicts and labels read probabilities: they must say the same."""
    with pytest.raises(ValidationError, match="contradicts"):
        judgement(verdict=verdict, p_a=p_a)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, -0.1, 1.1])
def test_a_probability_is_a_number_between_0_and_1(number: float) -> None:
    """NaN and infinity are refused where they enter, not found in a loss."""
    with pytest.raises(ValidationError):
        judgement(verdict="tie", p_a=number)
    with pytest.raises(ValidationError):
        Preference(prompt=PROMPT, chosen="a", rejected="b", probability=number, objective="o")


@pytest.mark.parametrize("number", [math.nan, math.inf, -1.0])
def test_a_weight_is_a_finite_number_of_0_or_more(number: float) -> None:
    """One NaN weight would make a whole batch NaN."""
    with pytest.raises(ValidationError):
        Preference(prompt=PROMPT, chosen="a", rejected="b", probability=0.5, objective="o", weight=number)
    with pytest.raises(ValidationError):
        Rating(prompt=PROMPT, completion="a", up=True, objective="o", weight=number)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["logit_ab", "logit_ba", "mass"])
def test_what_a_judge_measured_is_finite(field: str, number: float) -> None:
    """A judgement's numbers can be averaged without looking."""
    with pytest.raises(ValidationError):
        judgement(**{"p_a": 0.9, field: number})


@pytest.mark.parametrize("field", ["role", "extra"])
def test_a_message_takes_no_other_role_and_no_other_field(field: str) -> None:
    """What a chat template would not know is refused when it is read."""
    with pytest.raises(ValidationError):
        Message.model_validate({"role": "user", "content": "x"} | {field: "tool"})


@pytest.mark.parametrize(
    "messages", [(), (Message(role="assistant", content="x"),), (Message(role="user", content=" \n"),)]
)
def test_a_prompt_waits_for_an_answer_to_something(messages: tuple[Message, ...]) -> None:
    """A prompt ends with a user who said something."""
    with pytest.raises(ValidationError):
        Prompt(messages=messages)


@given(texts)
@settings(deadline=None)
def test_any_text_survives_the_disk_or_is_refused_at_once(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """NUL, bidirectional marks and unpaired surrogates: a text comes back as it went in, or never gets into a row."""
    file = Path(tmp_path_factory.getbasetemp()) / "texts.parquet"
    try:
        row = Completion(prompt=PROMPT, text=text, model="m")
    except ValidationError as error:
        assert not is_whole(text)
        assert "unicode" in str(error)
        return
    write_rows(file, [row], Completion)
    assert read_rows(file, Completion) == [row]


@pytest.mark.parametrize(
    "text", ["\x00", "a\x00b", "\u202e\u2066", "\ufeff", "\r\n", "\u2028", "\U0010ffff", "e\u0301", "\x1b[31m"]
)
def test_odd_but_whole_text_comes_back_as_it_went_in(tmp_path: Path, text: str) -> None:
    """Nothing is normalised, stripped or cut on the way to the disk and back."""
    row = Completion(prompt=Prompt.of("x" + text, tags=[text]), text=text, model="m")
    write_rows(tmp_path / "x.parquet", [row], Completion)
    assert read_rows(tmp_path / "x.parquet", Completion) == [row]


@pytest.mark.parametrize("place", ["content", "tags", "critique"])
def test_half_a_surrogate_pair_is_refused_wherever_it_stands(place: str) -> None:
    """The error says what is wrong in words, and shows the text so that it can be printed."""
    makers = {
        "content": lambda text: Message(role="user", content=text),
        "tags": lambda text: Prompt.of("x", tags=["fine", text]),
        "critique": lambda text: Turn(principle="p", critique=text, revision=""),
    }
    with pytest.raises(ValidationError, match="as a unicode string"):
        makers[place]("broken \ud800")


def test_a_models_broken_text_can_be_made_whole() -> None:
    """Only halves are replaced: two halves that belong together are one character."""
    assert whole("a\ud800b") == "a\ufffdb"
    assert whole("\ud83d\ude00") == "\U0001f600"
    assert whole("naïve \U0001f600") == "naïve \U0001f600"


def test_a_system_message_that_all_prompts_share_does_not_put_them_all_in_one_split() -> None:
    """The split goes by what the user said first: by the system message, all or nothing would be held out."""
    system = Message(role="system", content="Be brief.")
    prompts = [Prompt(messages=(system, Message(role="user", content=f"question {n}"))) for n in range(200)]
    heldout = sum(split_of(prompt, 0.25, 0) == "heldout" for prompt in prompts)
    assert 30 < heldout < 70


def test_a_conversation_is_never_in_both_splits() -> None:
    """A later turn of a conversation goes where its first one went."""
    for n in range(50):
        first = Message(role="user", content=f"question {n}")
        later = (first, Message(role="assistant", content="yes"), Message(role="user", content="go on"))
        assert split_of(Prompt(messages=(first,)), 0.5, 0) == split_of(Prompt(messages=later), 0.5, 0)
