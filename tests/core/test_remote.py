"""A server that misbehaves costs time and rows, never a wrong answer (RELIABILITY 1 to 8, 14, 21)."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from stub import Reply, ask, engine, failed, model, said, score, serving, text_of

from caif.errors import STOPPED, CaifError
from caif.hookspecs import Answer, Model, Question
from caif.models import caif_chat_models, openai

SOON = 30
"""Seconds that are few beside what waiting it out would take, and enough on a machine that has other work."""
MANY = [f"question {n}" for n in range(40)]


def echo(request: dict[str, Any], before: int) -> Reply:
    del before
    return said(f"echo {text_of(request)}")


def test_every_answer_goes_to_its_row_and_its_cost_is_kept(tmp_path: Path) -> None:
    """The plain case: in order, once each, with tokens counted."""
    with serving(echo) as stub:
        answers = ask(engine(tmp_path), model(stub), *MANY)
    assert [a.text for a in answers] == [f"echo {text}" for text in MANY]
    assert (answers[0].tokens_in, answers[0].tokens_out, answers[0].finish) == (3, 2, "stop")
    assert len(stub.calls) == len(MANY)


def test_a_429_with_retry_after_is_waited_out(tmp_path: Path) -> None:
    """RELIABILITY 1: pushed back twice for a second each, then answered; the tries are on record and nothing is invalid."""
    with serving(lambda r, before: failed(429, headers={"Retry-After": "1"}) if before < 2 else echo(r, 0)) as stub:
        (answer,) = ask(engine(tmp_path, retries=0), model(stub), "x")
    assert (answer.text, answer.finish, answer.detail) == ("echo x", "stop", "3 attempts")
    times = [when for when, _ in stub.calls]
    assert len(times) == 3
    assert all(later - earlier >= 1 for earlier, later in zip(times, times[1:], strict=False))


def test_retry_after_may_be_a_date(tmp_path: Path) -> None:
    """The header's other form."""
    with serving(
        lambda r, before: (
            failed(429, headers={"Retry-After": formatdate(time.time() + 2, usegmt=True)}) if not before else echo(r, 0)
        )
    ) as stub:
        assert ask(engine(tmp_path), model(stub), "x")[0].text == "echo x"
    assert stub.calls[1][0] - stub.calls[0][0] >= 0.9


def test_a_server_that_pushes_back_for_ever_stops_the_run_which_then_goes_on(tmp_path: Path) -> None:
    """RELIABILITY 2: exit 3 when patience is over, not row by row; what was answered is kept and not asked again."""
    healthy, answered = True, list[str]()

    def behave(request: dict[str, Any], before: int) -> Reply:
        if not healthy:
            return failed(429)
        answered.append(text_of(request))
        return echo(request, before)

    with serving(behave) as stub:
        assert len(ask(engine(tmp_path), model(stub), *MANY[:10])) == 10
        healthy = False
        started = time.monotonic()
        with pytest.raises(CaifError, match="not answered a single row") as caught:
            ask(engine(tmp_path, patience=0.5, retries=0), model(stub), *MANY)
        assert caught.value.code == STOPPED
        assert "run again" in str(caught.value)
        assert time.monotonic() - started < SOON
        healthy = True
        answered.clear()
        answers = ask(engine(tmp_path), model(stub), *MANY)
        assert [a.text for a in answers] == [f"echo {text}" for text in MANY]
        assert set(answered) == set(MANY[10:])


@pytest.mark.parametrize("header", ["1e9", "inf", "nan", "-5", "soon", "", "Wed, 21 Oct 99999999999999 07:28:00 GMT"])
def test_an_absurd_retry_after_is_not_slept_out(tmp_path: Path, header: str) -> None:
    """A wait longer than all patience stops at once; nonsense counts as no header."""
    with serving(lambda r, before: failed(429, headers={"Retry-After": header}) if not before else echo(r, 0)) as stub:
        started = time.monotonic()
        try:
            assert ask(engine(tmp_path), model(stub), "x")[0].text == "echo x"
        except CaifError as error:
            assert (header, error.code) == ("1e9", STOPPED)
        assert time.monotonic() - started < SOON


def test_one_hopeless_answer_does_not_wait_for_rows_that_sleep(tmp_path: Path) -> None:
    """Others in flight are let go, not waited for; what they had answered stays."""
    with serving(lambda r, _: failed(404) if text_of(r) == "bad" else Reply(echo(r, 0).body, wait=120.0)) as stub:
        started = time.monotonic()
        with pytest.raises(CaifError, match="retired"):
            ask(engine(tmp_path), model(stub), "slow 1", "slow 2", "bad")
    assert time.monotonic() - started < SOON


def test_errors_of_the_server_for_some_calls_are_retried_without_slowing_down(tmp_path: Path) -> None:
    """RELIABILITY 5: 500 for 30 % of calls; every row is answered, and the number in flight still grows."""
    chance = random.Random(0)
    with serving(lambda r, _: failed(500) if chance.random() < 0.3 else Reply(echo(r, 0).body, wait=0.2)) as stub:
        answers = ask(engine(tmp_path, concurrency=8, retries=12), model(stub), *(f"q{n}" for n in range(80)))
    assert [a.text for a in answers] == [f"echo q{n}" for n in range(80)]
    assert any(a.detail == "2 attempts" for a in answers)
    assert stub.most > 5  # four at first, eight allowed: how many of them meet at a busy server is chance


def test_a_row_that_keeps_failing_is_an_error_row_and_is_asked_again_next_time(tmp_path: Path) -> None:
    """A failure comes back as one, is not kept in the ledger, and stops the stage only if there are too many."""
    with serving(lambda r, before: failed(500) if text_of(r) == "bad" and before < 6 else echo(r, 0)) as stub:
        answers = ask(engine(tmp_path, retries=2, max_failures=0.5), model(stub), "good", "bad")
        assert [a.finish for a in answers] == ["stop", "error"]
        assert answers[1].detail.endswith(" 500 after 3 attempts")
        with pytest.raises(CaifError, match=r"1 of 2 rows got no answer from openai:m \(\w+ 500 after") as caught:
            ask(engine(tmp_path, retries=2), model(stub), "good", "bad")
        assert caught.value.code == STOPPED
        assert [a.text for a in ask(engine(tmp_path), model(stub), "good", "bad")] == ["echo good", "echo bad"]
    assert len(stub.calls) == 8


@pytest.mark.parametrize("way", [ask, score])
def test_a_call_that_is_never_answered_has_its_own_time_limit(tmp_path: Path, way: Any) -> None:
    """RELIABILITY 6: three rows hang, the others are answered meanwhile, and the whole takes no longer than the limits."""
    from stub import listing

    def behave(request: dict[str, Any], before: int) -> Reply:
        del before
        fine = listing(("A", -0.1), ("B", -3.0)) if way is score else echo(request, 0)
        return Reply(fine.body, wait=120.0 if text_of(request).startswith("hang") else 0.0)

    with serving(behave) as stub:
        started = time.monotonic()
        answers = way(
            engine(tmp_path, timeout=2.0, retries=1, max_failures=0.5), model(stub), "hang 1", "hang 2", "hang 3", *MANY
        )
        assert time.monotonic() - started < SOON
    assert [a.finish for a in answers] == ["error"] * 3 + ["stop"] * len(MANY)
    assert answers[0].detail == "TimeoutError after 2 attempts"


def test_no_row_ever_gets_another_rows_answer(tmp_path: Path) -> None:
    """RELIABILITY 14: 500 rows, 60 % of calls fail at random, sixteen in flight: not one mismatched id."""
    chance = random.Random(1)

    def behave(request: dict[str, Any], before: int) -> Reply:
        if chance.random() < 0.6:
            return chance.choice([failed(500), failed(429), failed(503), Reply(b"<html>"), Reply({"choices": []})])
        return echo(request, before)

    texts = [f"row-{n}" for n in range(500)]
    with serving(behave) as stub:
        answers = ask(engine(tmp_path, concurrency=16, retries=40, backoff=0.0001, patience=60), model(stub), *texts)
        assert [a.text for a in answers] == [f"echo {text}" for text in texts]
        stub.behave = lambda *_: failed(404)
        assert ask(engine(tmp_path), model(stub), *reversed(texts)) == answers[::-1]


def test_shuffled_and_appended_rows_cost_only_the_new_ones(tmp_path: Path) -> None:
    """RELIABILITY 21: an answer belongs to its question, not to its place; the same question twice is asked once."""
    with serving(echo) as stub:
        ask(engine(tmp_path), model(stub), *MANY)
        answers = ask(engine(tmp_path), model(stub), "new 1", *reversed(MANY), "new 2", "new 2", "new 3")
    assert len(stub.calls) == len(MANY) + 3
    assert [a.text for a in answers] == [f"echo {t}" for t in ("new 1", *reversed(MANY), "new 2", "new 2", "new 3")]


def test_progress_is_told_while_rows_arrive(tmp_path: Path) -> None:
    """Every row passes the tracker once, those that were known already first; an hour of labels is not an hour of silence."""
    told: list[list[int]] = []

    def track(batches: Iterable[Sequence[int]], total: int, label: str) -> Iterable[Sequence[int]]:
        assert (total, label) == (len(MANY), "test")
        for batch in batches:
            told.append(list(batch))
            yield batch

    with serving(lambda r, _: Reply(echo(r, 0).body, wait=0.1)) as stub:
        ask(engine(tmp_path), model(stub), *MANY[:5])
        rounds = engine(tmp_path, concurrency=2)
        rounds.track = track
        ask(rounds, model(stub), *MANY)
    assert told[0] == [0, 1, 2, 3, 4]
    assert sorted(row for batch in told for row in batch) == list(range(len(MANY)))
    assert len(told) > 3


def test_one_round_after_another_uses_the_same_connections(tmp_path: Path) -> None:
    """A client's open connections belong to an event loop; a second loop would find them dead and lose rows to it."""
    with serving(echo) as stub:
        there, rounds = model(stub), engine(tmp_path, retries=0)
        for n in range(5):
            assert [a.finish for a in ask(rounds, there, *(f"{n} {text}" for text in MANY))] == ["stop"] * len(MANY)


def test_models_can_be_asked_where_an_event_loop_runs_already(tmp_path: Path) -> None:
    """In a notebook there always is one."""

    async def notebook() -> str:
        return ask(engine(tmp_path), model(stub), "x")[0].text

    with serving(echo) as stub:
        assert asyncio.run(notebook()) == "echo x"


def test_asking_a_server_once_does_not_hide_the_way_to_ask_it_again() -> None:
    """A module named like the factory would take its place in the package on first use."""
    for _ in range(2):
        openai("m", base_url="http://127.0.0.1:9/v1")
        assert caif_chat_models()["openai"] is openai


def test_nothing_listens_there(tmp_path: Path) -> None:
    """A server that is down is an error row by row, and too many of them stop the stage with exit code 3."""
    with serving(echo) as stub:
        gone = model(stub)
    with pytest.raises(CaifError, match="rows got no answer") as caught:
        ask(engine(tmp_path, retries=1), gone, *MANY[:3])
    assert caught.value.code == STOPPED


ASKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from stub import Stub, ask, engine, model
stub = Stub(lambda *_: None)
stub.url = sys.argv[1]
ask(engine(Path(sys.argv[2]), concurrency=4), model(stub), *(f"q{n}" for n in range(60)))
"""


def test_a_run_killed_while_it_asks_pays_again_only_for_what_was_in_flight(tmp_path: Path) -> None:
    """RELIABILITY 15: kill -9 four times, then to the end: every row answered, calls at most rows plus those in flight."""
    chance, kills = random.Random(3), 0
    with serving(lambda r, _: Reply(echo(r, 0).body, wait=0.05)) as stub:
        for _ in range(4):
            before = len(stub.calls)
            arguments = [sys.executable, "-c", ASKER, stub.url, str(tmp_path), str(Path(__file__).parent)]
            with subprocess.Popen(arguments, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL) as child:
                while len(stub.calls) < before + chance.randrange(2, 14) and child.poll() is None:
                    time.sleep(0.005)
                kills += child.poll() is None
                child.kill()
        answers = ask(engine(tmp_path), model(stub), *(f"q{n}" for n in range(60)))
    assert kills >= 2
    assert [a.text for a in answers] == [f"echo q{n}" for n in range(60)]
    assert len(stub.calls) <= 60 + 4 * kills


@pytest.mark.parametrize("ticks", range(5))
def test_a_round_that_was_stopped_leaves_every_place_to_the_next_one(tmp_path: Path, ticks: int) -> None:
    """An audit goes on with another method where one raises; a worker hired just then never began and held its place."""

    class Opening:
        """Raises in its first row some ticks after the gate has opened; then pushes every row back until it is narrow."""

        def __init__(self) -> None:
            self.tries: dict[str, int] = {}

        async def ascore(self, question: Question) -> Answer:
            text = question.messages[-1]["content"]
            self.tries[text] = self.tries.get(text, 0) + 1
            if text == "wrong":
                while gate.allowed < 5:
                    await asyncio.sleep(0)
                for _ in range(ticks):
                    await asyncio.sleep(0)
                raise CaifError("no log-probabilities")
            if text.startswith("later") and self.tries[text] <= 8:
                await asyncio.sleep(0.001)
                raise Busy
            return Answer(text, "stop", logprobs=(-1.0, -1.0))

    class Busy(Exception):
        status_code = 429

    judge: Any = Opening()
    asker, opening = engine(tmp_path, backoff=0.0001), Model("plugin:m", judge, judge)
    gate = asker._server(opening).gate
    with pytest.raises(CaifError, match="no log-probabilities"):
        score(asker, opening, "wrong", *MANY)
    later = [f"later {n}" for n in range(8)]
    assert [answer.text for answer in score(asker, opening, *later)] == later


def test_answers_beside_a_malformed_one_are_kept(tmp_path: Path) -> None:
    """They are paid for: the plugin's mistake ends the stage, and the next try asks for what is missing alone."""

    class Once:
        def __init__(self, wrong: str) -> None:
            self.wrong, self.asked = wrong, list[str]()

        async def ascore(self, question: Question) -> Answer:
            text = question.messages[-1]["content"]
            self.asked.append(text)
            return Answer(text, "stop", logprobs=(-1.0,) if text == self.wrong else (-1.0, -1.0))

    texts = [f"q{n}" for n in range(4)]
    first, mended = Once("q2"), Once("")
    for judge in (first, mended):
        opening: Any = Model("plugin:m", judge, judge)  # type: ignore[arg-type]
        if judge is first:
            with pytest.raises(CaifError, match="gave 1 log-probabilities for 2 choices"):
                score(engine(tmp_path), opening, *texts)
        else:
            assert [answer.text for answer in score(engine(tmp_path), opening, *texts)] == texts
    assert mended.asked == ["q2"]


def test_a_call_that_never_returns_does_not_keep_the_program(tmp_path: Path) -> None:
    """Its row has failed when its time is over; the thread it blocks is left behind when the program ends."""
    script = tmp_path / "hangs.py"
    script.write_text(f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from stub import engine, score
from caif.hookspecs import Model
class Never:
    def score(self, questions):
        time.sleep(600)
judge = Never()
(answer,) = score(engine(Path({str(tmp_path)!r}), timeout=0.2, retries=0, max_failures=1.0), Model("plugin:m", judge, judge), "q")
print(answer.finish)
""")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=2 * SOON, check=False)
    assert (done.stdout.strip(), done.returncode) == ("error", 0), done.stderr
