"""The fake chat models of `caif.testing`, as a plugin's author would use them: through caif's own engine and judge."""

import math
from pathlib import Path

import pytest

from caif.config import Exec
from caif.constitution import Principle
from caif.data import Comparison, Prompt
from caif.errors import CaifError
from caif.hookspecs import Model, Params, Request
from caif.judge import Bench, judge_all
from caif.ledger import Ledger
from caif.models.engine import Engine
from caif.testing import EchoChat, FlakyChat, KeyedChat, ServerFault

TRUE = Principle(id="true", objective="honesty", critique="Is it true?", revision="Make it so.", compare="Which is truer?")


def engine(home: Path, **settings: float) -> Engine:
    return Engine(Ledger(home / "ledger.db"), Exec(backoff=0.001, **settings), "test", 0, lambda rows, total, label: rows)


def requests(count: int) -> list[Request]:
    return [Request(f"{n}", [{"role": "user", "content": f"question {n}"}]) for n in range(count)]


def test_a_keyed_chat_answers_by_what_it_is_asked(tmp_path):
    """In any order, from any thread, and never the same for two conversations."""
    model = Model("keyed:one", KeyedChat(replies={"question 3": "three"}))
    answers = engine(tmp_path / "one").ask(model, requests(20), Params())
    other = engine(tmp_path / "other").ask(model, requests(20)[::-1], Params())
    assert [answer._replace(at=None) for answer in answers] == [answer._replace(at=None) for answer in other[::-1]]
    assert answers[3].text == "three"
    assert len({answer.text for answer in answers}) == 20


def test_a_keyed_judge_prefers_what_is_worth_more(tmp_path):
    """A worth of 2 and a lean of 1 to the first place: the two orders cancel the lean, and sigmoid(2) is left."""
    chat = KeyedChat(worth={"Water is wet.": 2.0, "Water is dry.": 0.0}, lean=1.0)
    rounds, pair = engine(tmp_path), Comparison(prompt=Prompt.of("What is water?"), a="Water is dry.", b="Water is wet.")
    (judged,) = judge_all(Bench(Model("keyed:judge", chat, chat), rounds.ask, rounds.score), [(pair, TRUE)])
    assert judged.verdict == "b"
    assert judged.p_a == pytest.approx(1 / (1 + math.exp(2)))


def test_a_flaky_chat_fails_as_often_as_its_seed_says_and_then_answers(tmp_path):
    """So every row is answered in the end, each with its own answer, and how often it was tried is known beforehand."""
    flaky, steady = FlakyChat(inner=KeyedChat(), share=0.6, seed=1), KeyedChat()
    rounds = engine(tmp_path / "flaky", retries=50)
    answers = rounds.ask(Model("flaky:one", flaky), requests(60), Params())
    wanted = engine(tmp_path / "steady").ask(Model("keyed:one", steady), requests(60), Params())
    assert [answer.text for answer in answers] == [answer.text for answer in wanted]
    failures = [flaky.failures([*request.messages]) for request in requests(60)]
    assert [int((a.detail or "1").split()[0]) - 1 for a in answers] == failures
    assert 0.6 / 0.4 * 60 * 0.5 < sum(failures) < 0.6 / 0.4 * 60 * 2


def test_a_flaky_chat_scores_as_what_it_wraps_or_says_that_it_cannot():
    """Its failures carry the status that a client's would."""
    question = [{"role": "user", "content": "x"}]
    flaky = FlakyChat(inner=EchoChat(), share=1.0)
    with pytest.raises(ServerFault) as caught:
        flaky.invoke(question)
    assert caught.value.status_code == 429
    with pytest.raises(CaifError, match="EchoChat gives no log-probabilities"):
        flaky.score([])
