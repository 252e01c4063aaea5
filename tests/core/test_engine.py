"""Local models: a batch is stored whole or not at all, and a stopped run asks only what is missing (P1, P2)."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes import Scripted

from caif.config import Exec
from caif.content import digest
from caif.errors import STOPPED, WRONG, CaifError
from caif.hookspecs import Answer, Model, Params, Question, Request
from caif.ledger import Ledger
from caif.models.engine import Engine


class PowerCut(BaseException):
    """What no handler of errors catches."""


class Batches:
    """Someone's local model. An answer depends on its row and on the seed of its batch; it may stop at a given call."""

    def __init__(self, size: int = 4, stop_at: int = -1) -> None:
        self.size, self.stop_at = size, stop_at
        self.calls: list[list[str]] = []

    def batches(self, items: Sequence[Any]) -> list[list[int]]:
        order = sorted(range(len(items)), key=lambda i: items[i].row)
        return [order[n : n + self.size] for n in range(0, len(order), self.size)]

    def reply(self, requests: Sequence[Request], params: Params, seed: int) -> list[Answer]:
        if len(self.calls) == self.stop_at:
            raise PowerCut
        self.calls.append([request.row for request in requests])
        return [Answer(digest([seed, r.row, r.sample, *params]), "stop") for r in requests]

    def score(self, questions: Sequence[Question]) -> list[Answer]:
        self.calls.append([question.row for question in questions])
        return [Answer("", "stop", tuple(-float(len(choice)) for choice in q.choices)) for q in questions]


def engine(home: Path, seed: int = 0, **settings: Any) -> Engine:
    return Engine(Ledger(home / "ledger.db"), Exec(**settings), "test", seed, lambda batches, total, label: batches)


def model(chat: Any, name: str = "local") -> Model:
    return Model(name, chat, chat)


def requests(count: int, samples: int = 1) -> list[Request]:
    return [Request(f"{n:03}", [{"role": "user", "content": f"q{n}"}], k) for n in range(count) for k in range(samples)]


def ask(engine: Engine, chat: Any, asked: Sequence[Request], params: Params = Params()) -> list[Answer]:  # noqa: B008 - immutable
    return timeless(engine.ask(model(chat), asked, params))


def timeless(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers without when they were given."""
    return [answer._replace(at=None) for answer in answers]


@pytest.mark.parametrize("stop_at", range(5))
def test_a_run_stopped_at_any_batch_goes_on_to_the_same_answers(tmp_path: Path, stop_at: int) -> None:
    """P2: after every possible cut the answers are those of a run that was not stopped, and no batch is asked twice."""
    whole = Batches()
    wanted = ask(engine(tmp_path / "whole"), whole, requests(18))
    stopped, home = Batches(stop_at=stop_at), tmp_path / "stopped"
    with pytest.raises(PowerCut):
        ask(engine(home), stopped, requests(18))
    resumed = Batches()
    assert ask(engine(home), resumed, requests(18)) == wanted
    assert stopped.calls + resumed.calls == whole.calls
    assert len(stopped.calls) == stop_at


def test_a_run_stopped_again_and_again_asks_each_row_once(tmp_path: Path) -> None:
    """One batch a life, and in the end the same answers."""
    calls: list[list[str]] = []
    for _ in range(4):
        life = Batches(stop_at=1)
        with pytest.raises(PowerCut):
            ask(engine(tmp_path), life, requests(18))
        calls += life.calls
    last = Batches()
    answers = ask(engine(tmp_path), last, requests(18))
    assert sorted(row for call in calls + last.calls for row in call) == [r.row for r in requests(18)]
    assert answers == ask(engine(tmp_path / "whole"), Batches(), requests(18))


def test_a_batch_that_fails_half_way_through_is_not_stored(tmp_path: Path) -> None:
    """All of a batch's answers are kept, or none: half a batch would be resumed under another seed."""

    class Short(Batches):
        def reply(self, requests: Sequence[Request], params: Params, seed: int) -> list[Answer]:
            return super().reply(requests, params, seed)[:-1]

    with pytest.raises(ValueError, match="zip"):
        ask(engine(tmp_path), Short(), requests(4))
    assert engine(tmp_path).ledger.spent() == {}


class TwoTurns(Batches):
    """A local model that remembers: its answer in the second turn says what it was given of the first."""

    def past(self) -> list[str]:
        return []

    def reply(self, requests: Sequence[Request], params: Params, seed: int, past: Any = None) -> list[Answer]:
        answers = super().reply(requests, params, seed)
        if past is not None:
            answers = [answer._replace(detail="; ".join(past)) for answer in answers]
            past[:] = [request.row for request in requests]
        return answers


def ask_on(engine: Engine, chat: Any, count: int) -> tuple[list[Answer], list[Answer | None]]:
    asked = requests(count)

    def then(n: int, answer: Answer) -> Request | None:
        more = [{"role": "assistant", "content": answer.text}, {"role": "user", "content": "And?"}]
        return asked[n]._replace(messages=[*asked[n].messages, *more]) if n % 5 else None

    first, second = engine.ask_on(model(chat), asked, Params(), then, Params(max_tokens=9))
    return timeless(first), [answer and answer._replace(at=None) for answer in second]


def test_a_second_turn_follows_its_first_batch_by_batch(tmp_path: Path) -> None:
    """What was computed for a batch's first turn is there for its second one, and for no other; some rows end before."""
    chat = TwoTurns()
    first, second = ask_on(engine(tmp_path), chat, 10)
    assert chat.calls == [
        ["000", "001", "002", "003"], ["001", "002", "003"], ["004", "005", "006", "007"], ["004", "006", "007"],
        ["008", "009"], ["008", "009"],
    ]  # fmt: skip
    assert [answer.detail for answer in first] == [""] * 10
    assert [answer and answer.detail for answer in second][3:7] == ["000; 001; 002; 003", "004; 005; 006; 007", None, "004; 005; 006; 007"]
    plain, plain_second = ask_on(engine(tmp_path / "plain"), Batches(), 10)
    assert [a.text for a in first] == [a.text for a in plain]
    assert [a is None for a in second] == [a is None for a in plain_second] == [n % 5 == 0 for n in range(10)]


@pytest.mark.parametrize("stop_at", range(6))
def test_a_run_stopped_in_either_turn_goes_on_to_the_same_answers(tmp_path: Path, stop_at: int) -> None:
    """P2: both turns of a batch are kept or neither is, so what the second one was computed from is there again."""
    wanted = ask_on(engine(tmp_path / "whole"), TwoTurns(), 10)
    stopped, home = TwoTurns(stop_at=stop_at), tmp_path / "stopped"
    with pytest.raises(PowerCut):
        ask_on(engine(home), stopped, 10)
    resumed = TwoTurns()
    assert ask_on(engine(home), resumed, 10) == wanted
    assert len(resumed.calls) == 6 - stop_at // 2 * 2
    again = TwoTurns()
    assert ask_on(engine(home), again, 10) == wanted
    assert again.calls == []


def test_a_second_turn_that_fails_is_asked_again_and_then_told(tmp_path: Path) -> None:
    """A failure is not stored, and costs the first turn nothing."""

    class Failing(TwoTurns):
        def reply(self, requests: Sequence[Request], params: Params, seed: int, past: Any = None) -> list[Answer]:
            answers = super().reply(requests, params, seed, past)
            return [Answer("", "error", detail="too long")] * len(answers) if len(requests[0].messages) > 1 else answers

    first, second = ask_on(engine(tmp_path, max_failures=1.0), Failing(), 4)
    assert [answer.finish for answer in first] == ["stop"] * 4
    assert [answer and answer.detail for answer in second] == [None, "too long", "too long", "too long"]
    assert engine(tmp_path).ledger.spent()["test"].calls == 4


def test_known_answers_are_used_as_they_are_and_no_row_is_shifted(tmp_path: Path) -> None:
    """Whatever the ledger holds already, in any combination: those answers come back, and every other goes to its row."""

    class ByRow(Batches):
        def reply(self, requests: Sequence[Request], params: Params, seed: int) -> list[Answer]:
            return [
                answer._replace(text=f"to {r.row}")
                for r, answer in zip(requests, super().reply(requests, params, seed), strict=True)
            ]

    for trial in range(10):
        some = random.Random(trial).sample(requests(20), trial * 2)
        home = tmp_path / str(trial)
        ask(engine(home), ByRow(), some)
        second = ByRow()
        answers = ask(engine(home), second, requests(20))
        assert [a.text for a in answers] == [f"to {r.row}" for r in requests(20)]
        assert sum(map(len, second.calls)) == 20 - len(some)


def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    """A model that is not needed is not even asked how it would cut its batches, so it need not be loaded."""

    class NotLoaded(Batches):
        def batches(self, items: Sequence[Any]) -> list[list[int]]:
            raise AssertionError("loaded for nothing")

    wanted = ask(engine(tmp_path), Batches(), requests(6))
    assert ask(engine(tmp_path), NotLoaded(), requests(6)) == wanted


def test_repeated_samples_are_different_answers(tmp_path: Path) -> None:
    """The sample number is part of the question; without it a prompt's samples would collapse into one."""
    answers = ask(engine(tmp_path), Batches(), requests(3, samples=4))
    assert len({answer.text for answer in answers}) == 12


def test_the_same_question_twice_is_asked_once(tmp_path: Path) -> None:
    """Within a batch and across batches."""
    chat = Batches(size=3)
    answers = ask(engine(tmp_path), chat, [*requests(4), *requests(4)])
    assert sum(map(len, chat.calls)) == 4
    assert answers[:4] == answers[4:]


@pytest.mark.parametrize("change", ["seed", "model", "messages", "temperature", "tokens", "sample"])
def test_whatever_makes_another_question_is_asked_anew(tmp_path: Path, change: str) -> None:
    """The key of an answer is the model, the messages, the parameters, the sample and the run's seed."""
    ask(engine(tmp_path), Batches(), requests(1))
    chat, params, seed, name = Batches(), Params(), 0, "local"
    request = requests(1)[0]
    if change == "messages":
        request = request._replace(messages=[*request.messages, {"role": "assistant", "content": ""}])
    elif change == "sample":
        request = request._replace(sample=1)
    elif change == "seed":
        seed = 1
    elif change == "model":
        name = "other"
    else:
        params = Params(0.5) if change == "temperature" else Params(max_tokens=9)
    engine(tmp_path, seed).ask(model(chat, name), [request], params)
    assert len(chat.calls) == 1


def test_the_row_that_asks_is_not_part_of_the_question(tmp_path: Path) -> None:
    """Two rows with one conversation share its answer."""
    ask(engine(tmp_path), Batches(), requests(1))
    chat = Batches()
    ask(engine(tmp_path), chat, [requests(1)[0]._replace(row="other")])
    assert chat.calls == []


def test_a_choice_that_reads_like_a_parameter_is_still_a_choice() -> None:
    """Choices may be any words, so none of them makes two questions one."""
    from caif.models.engine import _key, _wanted

    talk = [{"role": "user", "content": "hello"}]
    asked = [Question("r", talk, ("a", "temperature", "0.5")), Question("r", talk, ("a",), 0.5),
             Question("r", talk, ("temperature", "0.5", "a")), Question("r", talk, ("choices", "a"))]  # fmt: skip
    assert len({_key(model(None), 0, q.messages, _wanted(q), 0) for q in asked}) == 4  # type: ignore[arg-type]


def test_scores_are_kept_by_their_choices(tmp_path: Path) -> None:
    """One number a choice, in the order of the choices; other choices are another question; the seed is not."""
    asked = [
        Question("r", [{"role": "user", "content": "q"}], choices) for choices in (("a", "bb"), ("bb", "a"), ("a",))
    ]
    chat = Batches()
    answers = engine(tmp_path).score(model(chat), asked)
    assert [a.logprobs for a in answers] == [(-1.0, -2.0), (-2.0, -1.0), (-1.0,)]
    again = Batches()
    assert engine(tmp_path, seed=5).score(model(again), asked) == answers
    assert again.calls == []


class OneFails(Batches):
    """Someone's local model that cannot answer row 002."""

    def reply(self, requests: Sequence[Request], params: Params, seed: int) -> list[Answer]:
        answers = super().reply(requests, params, seed)
        return [
            Answer("", "error", detail="out of memory") if r.row == "002" else a
            for r, a in zip(requests, answers, strict=True)
        ]


def test_a_local_failure_comes_back_and_is_not_stored(tmp_path: Path) -> None:
    """The rest of its batch is; the next run asks for that row alone."""
    answers = ask(engine(tmp_path, max_failures=0.5), OneFails(), requests(4))
    assert [a.finish for a in answers] == ["stop", "stop", "error", "stop"]
    chat = Batches()
    assert ask(engine(tmp_path), chat, requests(4))[2].finish == "stop"
    assert chat.calls == [["002"]]


def test_too_many_local_failures_stop_the_stage(tmp_path: Path) -> None:
    """The share of `max_failures`, of different questions; the message says why and what to do."""
    with pytest.raises(CaifError, match=r"1 of 4 rows got no answer from local \(out of memory\)") as caught:
        ask(engine(tmp_path, max_failures=0.24), OneFails(), requests(4))
    assert caught.value.code == STOPPED


@pytest.mark.parametrize("gave", [(), (-1.0,), (-1.0, -2.0, -3.0)])
def test_a_scorer_that_gives_the_wrong_number_of_numbers_is_named(tmp_path: Path, gave: tuple[float, ...]) -> None:
    """A plugin's mistake is a sentence about the plugin, and nothing of it is kept."""

    class Wrong(Batches):
        def score(self, questions: Sequence[Question]) -> list[Answer]:
            return [Answer("", "stop", gave) for _ in questions]

    with pytest.raises(CaifError, match=f"local gave {len(gave)} log-probabilities for 2 choices") as caught:
        engine(tmp_path).score(model(Wrong()), [Question("r", [{"role": "user", "content": "q"}], ("A", "B"))])
    assert caught.value.code == WRONG
    assert engine(tmp_path).ledger.spent() == {}


def test_a_model_without_scores_says_what_to_do(tmp_path: Path) -> None:
    """The declared fallback is named; nothing falls back by itself."""
    chat = Scripted(reply=lambda _: "A", asked=[])
    with pytest.raises(CaifError, match='method = "votes"'):
        engine(tmp_path).score(Model("plain", chat), [Question("r", [{"role": "user", "content": "q"}], ("A", "B"))])
    assert chat.asked == []


def test_a_chat_model_that_only_blocks_is_asked_through_threads(tmp_path: Path) -> None:
    """Any langchain chat model will do; row ids travel with the questions."""
    chat = Scripted(reply=lambda talk: f"to {talk[-1]['content']}", asked=[])
    answers = engine(tmp_path, concurrency=8).ask(Model("plain", chat), requests(30), Params())
    assert [a.text for a in answers] == [f"to q{n}" for n in range(30)]


def test_progress_is_told_by_batches(tmp_path: Path) -> None:
    """Every batch passes the tracker once, with the number of rows in all and the stage's name."""
    told: list[tuple[int, int, str]] = []

    def track(batches: Iterable[Sequence[int]], total: int, label: str) -> Iterable[Sequence[int]]:
        for batch in batches:
            told.append((len(batch), total, label))
            yield batch

    Engine(Ledger(tmp_path / "ledger.db"), Exec(), "revise", 0, track).ask(model(Batches()), requests(6), Params())
    assert told == [(4, 6, "revise"), (2, 6, "revise")]
