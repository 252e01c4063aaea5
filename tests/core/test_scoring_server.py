"""Log-probabilities from a server: read exactly, bounded where they are not listed, and never made up (RELIABILITY 10)."""

import math
from pathlib import Path
from typing import Any

import pytest
from fakes import LAW, PROMPT
from stub import Reply, ask, engine, listing, model, said, score, serving, text_of

from caif.data import Comparison
from caif.errors import WRONG, CaifError
from caif.judge import Bench, judge_all


def test_both_letters_are_read_from_the_first_token(tmp_path: Path) -> None:
    """One call a question, one token, its top log-probabilities; nothing is sampled."""
    seen: list[dict[str, Any]] = []
    with serving(lambda r, _: (seen.append(r), listing(("A", -0.5), (" A", -2.0), ("B", -1.5)))[1]) as stub:  # type: ignore[func-returns-value]
        answers = score(engine(tmp_path), model(stub), "x", "y")
    assert [answer.logprobs for answer in answers] == [(-0.5, -1.5)] * 2
    assert [answer.finish for answer in answers] == ["stop"] * 2
    assert len(seen) == 2
    assert seen[0]["logprobs"] is True
    assert seen[0]["top_logprobs"] == 20
    assert (seen[0].get("max_tokens") or seen[0]["max_completion_tokens"], seen[0]["temperature"]) == (1, 0)


def test_a_letter_that_is_not_listed_is_no_likelier_than_what_is_left_over(tmp_path: Path) -> None:
    """A server that lists one token, A at 0.99, says B is at most 0.01; it does not say that B is as likely as A."""
    with serving(lambda *_: listing(("A", math.log(0.99)))) as stub:
        (answer,) = score(engine(tmp_path), model(stub), "x")
    assert answer.logprobs == pytest.approx((math.log(0.99), math.log(0.01)), abs=1e-6)


def test_a_letter_that_is_not_listed_is_no_likelier_than_the_last_listed(tmp_path: Path) -> None:
    """The other bound, where much is left over."""
    with serving(lambda *_: listing(("B", -1.0), ("The", -1.5), ("Both", -4.0))) as stub:
        (answer,) = score(engine(tmp_path), model(stub), "x")
    assert answer.logprobs == (-4.0, -1.0)


@pytest.mark.parametrize("sure", [0.0, 1e-7])
def test_a_server_that_is_quite_sure_gives_finite_numbers(tmp_path: Path, sure: float) -> None:
    """Nothing left over is a very small number, not minus infinity; OpenAI's -9999 neither."""
    with serving(
        lambda r, _: listing(("A", sure)) if text_of(r) == "x" else listing(("A", sure), ("B", -9999.0))
    ) as stub:
        answers = score(engine(tmp_path), model(stub), "x", "y")
    assert all(
        answer.logprobs[0] > -1 and answer.logprobs[1] <= -100 and math.isfinite(answer.logprobs[1])
        for answer in answers
    )


def test_where_neither_letter_is_listed_there_is_no_mass(tmp_path: Path) -> None:
    """The judge then calls it invalid."""
    with serving(lambda *_: listing(("I", -0.1), ("Well", -3.0))) as stub:
        (answer,) = score(engine(tmp_path), model(stub), "x")
        bench = Bench(model(stub), lambda *_: [], engine(tmp_path).score)
        (judged,) = judge_all(bench, [(Comparison(prompt=PROMPT, a="x", b="y"), LAW.principles[0])])
    assert sum(map(math.exp, answer.logprobs)) < 1e-40
    assert (judged.verdict, judged.p_a) == ("invalid", None)


@pytest.mark.parametrize(
    "reply",
    [said("A"), said("A", logprobs={"content": None}), said("A", logprobs={"content": []}),
     said("A", logprobs={"content": [{"token": "A", "logprob": -0.1, "bytes": None, "top_logprobs": []}]})],
    ids=["absent", "null", "empty", "no tops"],
)  # fmt: skip
def test_a_server_that_drops_log_probabilities_is_an_error_with_advice(tmp_path: Path, reply: Reply) -> None:
    """RELIABILITY 10: it stops at once, is not retried, names the declared fallback; it is never one half."""
    with serving(lambda *_: reply) as stub, pytest.raises(CaifError, match="returns no log-probabilities") as caught:
        score(engine(tmp_path, concurrency=2), model(stub), *"abcdefgh")
    assert 'method = "votes"' in caught.value.remedy
    assert caught.value.code == WRONG
    assert len(stub.calls) <= 2


@pytest.mark.parametrize(
    ("reply", "finish"),
    [(said(None, refusal="no"), "refused"), (said("", "content_filter"), "filtered"), (Reply(b"<html>"), "error")],
)
def test_a_failure_to_score_is_a_failure_of_its_kind(tmp_path: Path, reply: Reply, finish: str) -> None:
    """And the judge keeps it so."""
    with serving(lambda *_: reply) as stub:
        there, rounds = model(stub), engine(tmp_path, max_failures=1.0, retries=0)
        assert score(rounds, there, "x")[0].finish == finish
        (judged,) = judge_all(
            Bench(there, rounds.ask, rounds.score), [(Comparison(prompt=PROMPT, a="x", b="y"), LAW.principles[0])]
        )
    assert (judged.verdict, judged.p_a) == (finish, None)


def test_a_malformed_listing_is_an_error_row(tmp_path: Path) -> None:
    """A log-probability of null is not a number."""
    top = [{"token": "A", "logprob": None, "bytes": None}]
    broken = said("A", logprobs={"content": [{"token": "A", "logprob": -0.1, "bytes": None, "top_logprobs": top}]})
    with serving(lambda *_: broken) as stub:
        assert score(engine(tmp_path, max_failures=1.0, retries=0), model(stub), "x")[0].finish == "error"


def test_a_judge_behind_a_server_is_exact_and_symmetric(tmp_path: Path) -> None:
    """The whole way from HTTP to a probability: content worth 1 and a lean of 2 give sigmoid(1)."""

    def lean(request: dict[str, Any], before: int) -> Reply:
        del before
        logit = 2 + (1 if text_of(request).rfind("good") < text_of(request).rfind("bad") else -1)
        return listing(("A", -math.log1p(math.exp(-logit))), ("B", -math.log1p(math.exp(logit))))

    with serving(lean) as stub:
        pairs = [Comparison(prompt=PROMPT, a="good", b="bad"), Comparison(prompt=PROMPT, a="bad", b="good")]
        bench = Bench(model(stub), lambda *_: [], engine(tmp_path).score)
        one, other = judge_all(bench, [(pair, LAW.principles[0]) for pair in pairs])
    assert one.p_a == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-6)
    assert (one.p_a or 0) + (other.p_a or 0) == pytest.approx(1, abs=1e-6)
    assert len(stub.calls) == 2, "both orders of a pair and of its swap are two questions"


def test_scores_and_answers_to_the_same_messages_are_kept_apart(tmp_path: Path) -> None:
    """A question for letters and a request for text are not each other's cache."""
    with serving(lambda r, _: listing(("A", -0.1), ("B", -2.5)) if r.get("logprobs") else said("text")) as stub:
        rounds, there = engine(tmp_path), model(stub)
        assert score(rounds, there, "x")[0].logprobs == (-0.1, -2.5)
        assert ask(rounds, there, "x")[0].text == "text"
        assert score(rounds, there, "x")[0].logprobs == (-0.1, -2.5)
    assert len(stub.calls) == 2
