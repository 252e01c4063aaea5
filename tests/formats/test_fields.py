"""Times, reasons and names as products write them; conversations as they log them."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caif.formats.fields import Unusable, because, hashed, seconds
from caif.formats.talk import answered, asked, messages, said

NOON = 1710244800.0


@pytest.mark.parametrize(
    "value",
    [
        NOON, int(NOON), NOON * 1e3, int(NOON) * 10**6, int(NOON) * 10**9, str(int(NOON)), "1710244800000", "2024-03-12T12:00:00Z",
        "2024-03-12T12:00:00.000Z", "2024-03-12 12:00:00", "2024-03-12 12:00:00+00", "2024-03-12 12:00:00 UTC",
        "2024-03-12T14:00:00+02:00", " 2024-03-12T12:00:00 ", {"$date": "2024-03-12T12:00:00Z"}, {"$date": int(NOON) * 1000},
        datetime(2024, 3, 12, 12, tzinfo=UTC), datetime(2024, 3, 12, 12),
    ],
)  # fmt: skip
def test_one_time_in_every_spelling(value):
    """Without a zone it is UTC, whatever zone this machine is in."""
    assert seconds(value) == NOON


@pytest.mark.parametrize(
    "value",
    [None, "", "noon", 0, -1, 5, True, "5", float("inf"), [], {}, {"$date": None}, 1e30, date(2024, 3, 12), "nan"],
)
def test_what_is_no_time_is_none(value):
    """A label without a time is a label."""
    assert seconds(value) is None


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes())
def test_any_value_is_a_time_or_none(value):
    """Nothing else comes of it, and no error."""
    assert seconds(value) is None or seconds(value) > 0


def test_reasons_are_joined():
    """The tag before the comment."""
    assert [because("tag", "said"), because("tag"), because("", " said "), because(None, None), because(7, ["x"])] == [
        "tag: said", "tag", "said", "", "",
    ]  # fmt: skip


def test_a_name_is_known_again_by_its_salt_alone():
    """1 and "1" are one user; true is none."""
    assert hashed("user", "ann", "s") == hashed("user", "ann", "s") != hashed("user", "ann", "t")
    assert hashed("user", 1, "s") == hashed("user", "1", "s") == hashed("user", 1.0, "s")
    assert [hashed("user", nobody, "s") for nobody in (None, "", True, [], {}, 1.5)] == [""] * 6


TALK = [("system", "Be brief."), ("user", "Why?"), ("assistant", "So."), ("user", "How?")]


def _dump(role, text):
    name = {"system": "SystemMessage", "user": "HumanMessage", "assistant": "AIMessage"}[role]
    return {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", name],
        "kwargs": {"content": text},
    }


def _old(role, text):
    return {"type": {"user": "human", "assistant": "ai"}.get(role, role), "data": {"content": text}}


WAYS = [
    [{"role": role, "content": text} for role, text in TALK],
    [{"role": role, "parts": [{"type": "text", "text": text}]} for role, text in TALK],
    [{"role": role, "content": [{"type": "text", "text": {"value": text}}]} for role, text in TALK],
    [{"type": {"user": "human", "assistant": "ai"}.get(role, role), "content": text} for role, text in TALK],
    [[role, text] for role, text in TALK],
    [_dump(role, text) for role, text in TALK],
    [[_dump(role, text) for role, text in TALK]],
    [_old(role, text) for role, text in TALK],
    [{"message": {"role": role, "content": text}} for role, text in TALK],
]


@pytest.mark.parametrize("way", WAYS)
def test_one_conversation_however_it_is_logged(way):
    """Chat templates, Vercel's parts, LangChain's dumps of two ages, pairs, OpenInference."""
    assert [(message.role, message.content) for message in messages(way)] == TALK
    assert asked({"messages": way}) == asked({"input": {"messages": way}}) == messages(way)
    reply = way[0][2:3] if isinstance(way[0], list) and len(way) == 1 else way[2:3]
    assert answered({"messages": reply}) == "So."


@pytest.mark.parametrize(
    "output",
    [
        "So.", {"output": "So."}, {"answer": "So."}, {"content": [{"type": "text", "text": "So."}]}, {"anything": "So."},
        {"choices": [{"message": {"role": "assistant", "content": "So."}}]}, {"role": "assistant", "content": "So."},
        {"generations": [[{"text": "", "message": _dump("assistant", "So.")}]]}, [{"role": "assistant", "content": "So."}],
        {"output": {"messages": [["user", "Why?"], ["assistant", "So."], {"role": "tool", "content": "4"}]}},
    ],
)  # fmt: skip
def test_one_answer_however_it_is_logged(output):
    """The text, wherever a chain puts it."""
    assert answered(output) == "So."


@pytest.mark.parametrize(
    "output",
    [
        None, 7, {}, [], {"a": 1, "b": 2}, {"choices": [{"text": "a"}, {"text": "b"}]}, [{"role": "user", "content": "Why?"}],
        {"output": {"output": {"output": {"output": {"output": {"output": {"output": {"output": {"output": {"output": "x"}}}}}}}}}},
    ],
)  # fmt: skip
def test_no_answer_or_several_are_none(output):
    """Which of two was rated is not for us to guess."""
    with pytest.raises(Unusable):
        answered(output)


def test_tools_and_reasoning_are_left_out_and_images_are_not_passed_over():
    """An answer about a picture cannot be judged without it."""
    parts = [{"type": "reasoning", "text": "hm"}, {"type": "tool-x", "output": 1}, {"type": "text", "text": "So."}]
    assert said(parts) == "So."
    with pytest.raises(Unusable, match="more than text"):
        said([*parts, {"type": "image_url", "image_url": {"url": "x"}}])
    turns = [*WAYS[0], {"role": "assistant", "content": None, "tool_calls": [{}]}, {"role": "tool", "content": "4"}]
    assert [(message.role, message.content) for message in messages(turns)] == TALK
