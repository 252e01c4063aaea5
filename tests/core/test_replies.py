"""What a server's replies mean: told apart by kind, never quoted, never taken for an answer (RELIABILITY 3, 4, 7, 8)."""

import time
from pathlib import Path

import pytest
from stub import Reply, ask, engine, failed, model, said, serving, text_of

from caif.errors import STOPPED, WRONG, CaifError

SOON = 30
"""Seconds that are few beside what waiting it out would take, and enough on a machine that has other work."""
MANY = [f"question {n}" for n in range(40)]


@pytest.mark.parametrize(
    ("status", "remedy", "more"),
    [
        (401, "api_key_env", {}), (403, "may not use this model", {}), (404, "model may have been retired", {}),
        (402, "no credit", {}), (429, "no credit", {"code": "insufficient_quota"}),
    ],
)  # fmt: skip
def test_what_no_retry_can_mend_stops_the_run_at_once(
    tmp_path: Path, status: int, remedy: str, more: dict[str, str]
) -> None:
    """RELIABILITY 3 and 4: one line with the remedy, at once; a server that echoes the key is not quoted."""
    with serving(lambda *_: failed(status, "bad key sk-CANARY0123456789abcdef", **more)) as stub:
        started = time.monotonic()
        with pytest.raises(CaifError) as caught:
            ask(engine(tmp_path, max_failures=1.0), model(stub), *MANY)
    assert time.monotonic() - started < SOON
    assert remedy in str(caught.value)
    assert "CANARY" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert caught.value.code == (STOPPED if remedy == "no credit" else WRONG), "without credit the run can go on later"
    assert len(stub.calls) <= 8, "no row was tried twice, nor many rows at all"


def test_a_request_that_the_server_finds_wrong_is_not_repeated(tmp_path: Path) -> None:
    """A prompt that is too long stays too long; the other rows do not suffer for it."""
    with serving(lambda r, _: failed(400) if text_of(r) == "long" else said(f"echo {text_of(r)}")) as stub:
        answers = ask(engine(tmp_path, max_failures=0.5), model(stub), "long", "short")
    assert [a.finish for a in answers] == ["error", "stop"]
    assert answers[0].detail.endswith(" 400 after 1 attempts")
    assert len(stub.calls) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Bad gateway</html>",
        b"",
        b"null",
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [{"mess',
        b'{"error": "busy"}',
        b"[]",
    ],
    ids=["html", "nothing", "null", "no choices", "null choices", "truncated", "error in a 200", "a list"],
)
def test_a_200_that_holds_no_answer_is_an_error_row(tmp_path: Path, body: bytes) -> None:
    """RELIABILITY 7: named by its class, no traceback, and the run goes on with the others."""
    with serving(lambda r, _: Reply(body) if text_of(r) == "odd" else said(f"echo {text_of(r)}")) as stub:
        answers = ask(engine(tmp_path, retries=1, max_failures=0.5), model(stub), "odd", "fine")
    assert [a.finish for a in answers] == ["error", "stop"]
    assert answers[0].detail.endswith("after 2 attempts")


def test_the_ways_to_say_nothing_are_told_apart(tmp_path: Path) -> None:
    """RELIABILITY 8: five replies that all have content '' in langchain; only what the model really said is kept."""
    replies = {
        "empty": said(""), "null": said(None), "refusal": said(None, refusal="I will not."), "filter": said("", "content_filter"),
        "length": said("half an ans", "length"),
    }  # fmt: skip
    with serving(lambda r, _: replies[text_of(r)]) as stub:
        answers = dict(zip(replies, ask(engine(tmp_path), model(stub), *replies), strict=True))
        again = dict(zip(replies, ask(engine(tmp_path), model(stub), *replies), strict=True))
    assert {name: (a.text, a.finish, a.detail) for name, a in answers.items()} == {
        "empty": ("", "stop", ""), "null": ("", "stop", ""), "refusal": ("", "refused", "I will not."),
        "filter": ("", "filtered", "content_filter"), "length": ("half an ans", "length", ""),
    }  # fmt: skip
    assert again == answers
    assert len(stub.calls) == len(replies), "what a model refuses to say is what it says"


def test_text_that_no_file_could_hold_is_made_whole(tmp_path: Path) -> None:
    """A server may spell half a surrogate pair in its JSON; the rest of the answer is worth keeping."""
    with serving(lambda *_: said("rain \ud83d falls \ud83d\ude00")) as stub:
        assert ask(engine(tmp_path), model(stub), "x")[0].text == "rain \ufffd falls \U0001f600"
