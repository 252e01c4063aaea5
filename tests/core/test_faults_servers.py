"""RELIABILITY 2c, the tests on servers that are not elsewhere; each says which.

1, 2, 5, 6, 14 at the engine, 15, 21: test_remote. 4, 7, 8 at the engine: test_replies. 10: test_scoring_server.
"""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import LAW, PROMPT, config, stage, stored_law
from stub import QUICK, Reply, ask, engine, failed, listing, model, said, score, serving, text_of

from caif import plugins
from caif.config import Exec, Generate, ModelSpec, Source
from caif.content import digest
from caif.data import Comparison, Completion, Judgement, Preference, Prompt
from caif.errors import WRONG, CaifError
from caif.hookspecs import hookimpl
from caif.judge import Bench, judge_all
from caif.models import openai
from caif.models.resolve import resolve
from caif.run import Run
from caif.stages.collect import collect

SOON = 5.0
PAIR = Comparison(prompt=PROMPT, a="apples", b="bricks")


def judged(home: Path, stub: Any, pair: Comparison = PAIR, **how: Any) -> Judgement:
    rounds, there = engine(home, max_failures=1.0, retries=0), model(stub)
    return judge_all(Bench(there, rounds.ask, rounds.score, **how), [(pair, LAW.principles[0])])[0]


@pytest.mark.parametrize("status", [401, 403])
def test_3_a_refused_key_is_named_by_its_variable_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """RELIABILITY 2c, test 3: stops in less than 5 s, exit code 2, one line with the variable's name, the key nowhere."""
    monkeypatch.setenv("JUDGE_KEY", "sk-CANARY0123456789abcdef")
    with serving(lambda *_: failed(status, "no such key: sk-CANARY0123456789abcdef")) as stub:
        there = resolve(ModelSpec(use="openai:m", base_url=stub.url, api_key_env="JUDGE_KEY"), {"openai": openai})
        started = time.monotonic()
        with pytest.raises(CaifError) as caught:
            ask(engine(tmp_path), there, *"abcdefgh")
    assert time.monotonic() - started < SOON
    assert caught.value.code == WRONG
    assert "the environment variable JUDGE_KEY" in str(caught.value)
    assert "CANARY" not in str(caught.value)


def test_4_a_model_that_is_gone_says_where_to_look(tmp_path: Path) -> None:
    """RELIABILITY 2c, test 4: not retried; the message suggests the name and the date of its retirement."""
    with serving(lambda *_: failed(404)) as stub, pytest.raises(CaifError, match=r"model's name.*shutdown_date") as caught:
        ask(engine(tmp_path, concurrency=1), model(stub), "x", "y")
    assert (caught.value.code, len(stub.calls)) == (WRONG, 1)


def test_4b_a_request_that_is_always_wrong_stops_before_every_row_was_tried(tmp_path: Path) -> None:
    """An option that the server does not know is wrong in every row: too many failures and not one answer is the end."""
    with serving(lambda *_: failed(400)) as stub, pytest.raises(CaifError, match="rows got no answer"):
        ask(engine(tmp_path, concurrency=4, max_failures=0.05), model(stub), *(f"q{n}" for n in range(200)))
    assert len(stub.calls) < 40


@pytest.mark.parametrize(
    ("reply", "verdict", "reason"),
    [
        (said(""), "invalid", "empty reply"),
        (said(None), "invalid", "empty reply"),
        (said(None, refusal="I will not."), "refused", "I will not."),
        (said("", "content_filter"), "filtered", "content_filter"),
        (said("The first one, since", "length"), "invalid", "cut off before a letter"),
        (Reply(b"<html>busy</html>"), "error", "after 1 attempts"),
    ],
    ids=["empty", "null", "refusal", "filter", "length", "html"],
)
def test_8_what_is_no_verdict_is_counted_as_what_it_is(tmp_path: Path, reply: Reply, verdict: str, reason: str) -> None:
    """RELIABILITY 2c, tests 7 and 8: through HTTP to the judgement; none becomes a, b or a tie, none has a probability."""
    with serving(lambda *_: reply) as stub:
        found = judged(tmp_path, stub, method="votes", votes=1)
    assert (found.verdict, found.p_a) == (verdict, None)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("text", "letter"),
    [("A", "A"), ("a", "A"), ("**B**", "B"), ("(B).", "B"), ("I think both are fine", ""), ("AB", ""), ("[[C]]", ""), ('{"answer": "A",}', "A")],
)  # fmt: skip
def test_9_a_letter_is_read_or_the_vote_is_none(tmp_path: Path, text: str, letter: str) -> None:
    """RELIABILITY 2c, test 9: the same reply in both orders is a lean to a place; what is unreadable is invalid."""
    with serving(lambda *_: said(text)) as stub:
        found = judged(tmp_path, stub, method="votes", votes=1)
    assert found.verdict == ("tie" if letter else "invalid")
    assert (found.logit_ab or 0) * (1 if letter == "A" else -1) > 0 or not letter


def test_10_a_server_without_log_probabilities_has_the_declared_fallback(tmp_path: Path) -> None:
    """RELIABILITY 2c, test 10: an error with advice; the advice, taken, gives a verdict that says how it was come by."""
    with serving(lambda r, _: said("A" if text_of(r).find("apples") < text_of(r).find("bricks") else "B")) as stub:
        with pytest.raises(CaifError, match="log-probabilities") as caught:
            judged(tmp_path, stub)
        assert 'method = "votes"' in caught.value.remedy
        found = judged(tmp_path, stub, method="votes", votes=2)
    assert (found.verdict, found.method) == ("a", "votes")


def shaky(chance: random.Random) -> Any:
    """Return a judge that prefers the answer with the higher number, and fails six times in ten in one way or another."""

    def behave(request: dict[str, Any], before: int) -> Reply:
        del before
        if chance.random() < 0.6:
            unread = [Reply(b"<html>"), Reply(b'{"choices": [{"mess'), Reply({"choices": []})]
            return chance.choice([failed(500)] * 4 + [failed(429, headers={"Retry-After": "0"}), *unread])
        first, second = (int(word[1:]) for word in text_of(request).split() if word[0] == "#")
        return listing(("A", -0.1), ("B", -2.4)) if first > second else listing(("B", -0.1), ("A", -2.4))

    return behave


def test_14_the_ai_labeler_mixes_no_rows_up_while_six_calls_in_ten_fail(tmp_path: Path) -> None:
    """RELIABILITY 2c, test 14, through collect, ChatOpenAI and HTTP: 500 questions, 16 in flight, every label is its own."""

    @hookimpl
    def caif_chat_models() -> dict[str, Any]:
        return {"shaky": openai}

    with serving(shaky(random.Random(5))) as stub:
        run = Run(
            config(sample=Generate(model=ModelSpec(use="shaky:m"), samples=2), exec=Exec(concurrency=16, retries=60, backoff=1e-4)),
            tmp_path, plugins.load(objects=[SimpleNamespace(caif_chat_models=caif_chat_models)]),
        )  # fmt: skip
        prompts = [Prompt.of(f"Question {n}?") for n in range(250)]
        numbers = {p.id: random.Random(p.id).sample(range(1000), 2) for p in prompts}
        samples = [Completion(prompt=p, text=f"#{k}", model="m", sample=n) for p in prompts for n, k in enumerate(numbers[p.id])]
        law = run.build(stored_law(), cfg=run.config.prompts)
        made = [run.build(stage(name, rows), cfg=run.config.prompts) for name, rows in (("prompts", prompts), ("sample", samples))]
        judge = {"use": "shaky:m", "base_url": stub.url}
        cfg = Source(use="ai-labeler", options={"judge": ModelSpec(**judge), "selftest": "off", "canaries": 0})
        artifact = run.build(collect, law, *made, None, None, cfg=cfg)
    assert artifact is not None
    judgements = artifact.rows(Judgement)
    assert len(judgements) == 250
    for row in judgements:
        a, b = (int(text[1:]) for text in (row.comparison.a, row.comparison.b))
        assert row.verdict == ("a" if a > b else "b")
    assert all(int(p.chosen[1:]) > int(p.rejected[1:]) for p in artifact.rows(Preference))
    assert len(stub.calls) > 2 * 500, "of ten calls about four are answered"


ASKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from stub import Stub, ask, engine, model
from caif.exits import guarded
stub = Stub(lambda *_: None)
stub.url = sys.argv[1]
@guarded
def command():
    ask(engine(Path(sys.argv[2]), concurrency=4), model(stub), *(f"q{n}" for n in range(400)))
command()
"""


@pytest.fixture
def asker(tmp_path: Path) -> Iterator[Any]:
    """Start a command that asks a server 400 rows, four at a time."""
    children: list[subprocess.Popen[str]] = []

    def start(url: str) -> subprocess.Popen[str]:
        arguments = [sys.executable, "-c", ASKER, url, str(tmp_path), str(Path(__file__).parent)]
        children.append(
            subprocess.Popen(arguments, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True)
        )
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.wait()


def wait_for(calls: list[Any], number: int) -> None:
    until = time.monotonic() + 60
    while len(calls) < number and time.monotonic() < until:
        time.sleep(0.01)


def test_16_ctrl_c_lets_what_is_in_flight_land_and_the_run_goes_on(tmp_path: Path, asker: Any) -> None:
    """RELIABILITY 2c, test 16: once: ends in 5 s with code 130 and one line; calls that were paid for are kept."""
    with serving(lambda r, _: Reply(said(f"echo {text_of(r)}").body, wait=0.3)) as stub:
        child = asker(stub.url)
        wait_for(stub.calls, 8)
        child.send_signal(signal.SIGINT)
        started = time.monotonic()
        assert child.wait(30) == 130
        assert time.monotonic() - started < SOON + 2
        assert "nothing that was answered is lost" in child.stderr.read()
        paid = len(stub.calls)
        kept = engine(tmp_path).ledger.spent()["test"].calls
        assert paid - 4 <= kept <= paid
        answers = ask(engine(tmp_path), model(stub), *(f"q{n}" for n in range(20)))
    assert [a.text for a in answers] == [f"echo q{n}" for n in range(20)]


def test_16_ctrl_c_twice_is_the_end_at_once(asker: Any) -> None:
    """RELIABILITY 2c, test 16: a server that hangs holds nobody up."""
    with serving(lambda *_: Reply(said("x").body, wait=60.0)) as stub:
        child = asker(stub.url)
        wait_for(stub.calls, 4)
        child.send_signal(signal.SIGINT)
        time.sleep(0.3)
        started = time.monotonic()
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 130
        assert time.monotonic() - started < 2


def test_a_rows_deadline_holds_in_all_its_tries(tmp_path: Path) -> None:
    """A row that is pushed back for ever while others are answered is no reason to wait for ever."""
    with serving(lambda r, _: failed(429) if text_of(r) == "bad" else said("fine")) as stub:
        started = time.monotonic()
        answers = ask(engine(tmp_path, row_deadline=1.0, max_failures=0.5), model(stub), "bad", "a", "b", "c")
    assert time.monotonic() - started < SOON * 3
    assert [a.finish for a in answers] == ["error", "stop", "stop", "stop"]
    assert answers[0].detail.endswith(" attempts")


def test_at_the_end_of_its_time_a_stage_begins_no_call_and_can_go_on(tmp_path: Path) -> None:
    """Exit code 3; calls in flight land; the next life asks the rest."""
    with serving(lambda r, _: Reply(said(text_of(r)).body, wait=0.2)) as stub:
        with pytest.raises(CaifError, match=r"time_stopped.*answers are left to get") as caught:
            ask(engine(tmp_path, stage_deadline=0.7, concurrency=2), model(stub), *(f"q{n}" for n in range(60)))
        assert caught.value.code == 3
        before = len(stub.calls)
        assert engine(tmp_path).ledger.spent()["test"].calls == before
        ask(engine(tmp_path), model(stub), *(f"q{n}" for n in range(60)))
    assert len(stub.calls) == 60


def test_calls_are_paced_by_requests_a_minute(tmp_path: Path) -> None:
    """1,200 a minute is one in 50 ms, however many rows may be in flight; a retry takes its turn like any other call."""
    with serving(lambda r, before: failed(500) if not before else said("x")) as stub:
        ask(engine(tmp_path, requests_per_minute=1200), model(stub), *(f"q{n}" for n in range(8)))
    times = sorted(when for when, _ in stub.calls)
    assert len(times) == 16
    assert times[-1] - times[0] >= 15 * 0.05 - 0.03


def test_scores_are_paced_by_tokens_a_minute(tmp_path: Path) -> None:
    """What the server reports (5 a call) takes the place of what was estimated (hundreds)."""
    long = "word " * 400
    with serving(lambda *_: listing(("A", -0.1), ("B", -3.0))) as stub:
        started = time.monotonic()
        score(engine(tmp_path, tokens_per_minute=6000, concurrency=1), model(stub), *(f"{n} {long}" for n in range(4)))
        paced = time.monotonic() - started
    assert paced >= 3 * 5 / 100
    assert paced < 3 * 500 / 100, "by the estimate alone it would have taken 15 s"


def test_no_minute_holds_more_calls_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of its own, over an hour of calls of any size: at most 30 requests and 6,000 tokens begin in any minute."""
    from caif.models import pace

    now, chance = [0.0], random.Random(2)
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(pace.asyncio, "sleep", sleep)
    limits, begun = pace.Pace(30, 6000), list[tuple[float, float]]()

    async def hour() -> None:
        while now[0] < 3600:
            tokens = chance.uniform(1, 600)
            await limits.turn(tokens)
            begun.append((now[0], tokens))
            now[0] += chance.choice([0, 0, 0, chance.uniform(0, 20)])

    asyncio.run(hour())
    for start, _ in begun:
        minute = [tokens for when, tokens in begun if start <= when < start + 59.999]
        assert len(minute) <= 30
        assert sum(minute[:-1]) <= 6000, "the last one of a minute reaches into the next"


def test_settings_are_what_the_run_file_says() -> None:
    """Paces and deadlines change no key."""
    fast, slow = config(), config(exec={**QUICK, "requests_per_minute": 1, "row_deadline": 1}, budget={"calls": 1})
    assert digest([fast.prompts.model_dump(mode="json")]) == digest([slow.prompts.model_dump(mode="json")])
    assert json.loads(slow.model_dump_json())["budget"] == {"calls": 1, "tokens": None, "money": None}
