"""What a labeler's judgements show of it by themselves, whoever wrote it, and that an honest one shows nothing."""

from collections.abc import Sequence
from typing import Any

import pytest
from knowing import Knowing, pair

from caif.constitution import Principle
from caif.data import Comparison, Judgement
from caif.judge import METHODS, Method, judge_all
from caif.judge.probes import items
from caif.judge.signs import LEAST, SIGNS, Signs

RULE = Principle(id="known", objective="known", critique="?", revision="!", compare="Which?")
SOME = [pair(f"one {n}", f"other {n}") for n in range(LEAST + 5)]


def said(c: Comparison, verdict: Any, p_a: float | None = None, **more: Any) -> Judgement:
    """Return a judgement as somebody's labeler would make it."""
    return Judgement(comparison=c, principle="known", objective="known", verdict=verdict, judge="x", p_a=p_a, **more)


def shown(rows: Sequence[Judgement]) -> dict[str, str]:
    """Return what is found, with the reasons."""
    signs = Signs()
    for row in rows:
        signs.add(row)
    found = signs.faults("mine")
    assert all(not test.passed and test.source == "mine" and 0 <= test.right < test.asked for test in found)
    return {test.check: test.reason for test in found}


def fair(n: int) -> Any:
    return ("a", 0.6 + n / 1000) if n % 2 else ("b", 0.4 - n / 1000)


HONEST = [said(c, *fair(n)) for n, c in enumerate(SOME)]


@pytest.mark.parametrize("method", METHODS)
def test_an_honest_labeler_shows_no_sign(method: Method) -> None:
    """By every method; one that likes the first place is the self-test's to find, or the share of flips."""
    asked = [pair(i.good, i.bad, i.prompt) if n % 2 else pair(i.bad, i.good, i.prompt) for n, i in enumerate(items(0))]
    rows = judge_all(Knowing(skill=0.8).bench(method), [(c, RULE) for c in [*asked, pair("same", "same")]])
    assert "one place" not in shown(rows) and "identical answers" not in shown(rows) and "its own log-odds" not in shown(rows)
    assert shown(HONEST) == {}


@pytest.mark.parametrize(
    ("rows", "check", "reason"),
    [
        ([said(pair("x", "x"), "a", 0.7), said(pair("x", "y"), "a", 0.7)], "identical answers", "1 of 1 judgements preferred"),
        ([said(c, "a", 0.95) for c in SOME], "one probability", "p(a) is 0.95 in all of 25 judgements"),
        ([said(c, "tie", 0.5) for c in SOME], "one probability", "p(a) is 0.5 in all"),
        ([said(c, "b", 0.1 + n / 1000) for n, c in enumerate(SOME)], "one place", "b is preferred in all of 25"),
        ([said(SOME[0], "b", 0.2, logit_ab=2.0, logit_ba=1.0)], "its own log-odds", "1 of 1 judgements prefer the answer"),
        ([said(SOME[0], "a", 0.8, logit_ab=-0.1)], "its own log-odds", "speak against"),
        ([said(SOME[0], "a", 0.8, mass=0.02)], "mass on the options", "have less than 0.1 of the probability"),
        ([said(SOME[0], "a", 0.8, mass=1.9)], "mass on the options", "over 1"),
    ],
)  # fmt: skip
def test_a_sign_is_told_with_its_reason(rows: Sequence[Judgement], check: str, reason: str) -> None:
    """Whatever else is true of the same rows."""
    assert check in SIGNS
    assert reason in shown([*HONEST, *rows] if check in SIGNS[:3] else rows)[check]


def test_few_judgements_that_agree_and_failures_are_no_sign() -> None:
    """What a coin may do, and what carries no probability, is not held against a judge."""
    few = [said(c, "a", 0.9) for c in SOME[: LEAST - 1]]
    failed = [said(c, "invalid", reason="mass 0.001 on the options") for c in SOME]
    assert shown([*few, *failed]) == {}
    assert shown([]) == {}


def test_judges_are_told_apart() -> None:
    """A panel's honest member does not hide another one's habit."""
    habit = [said(c, "a", 0.95).but(judge="y") for c in SOME]
    signs = Signs()
    for row in [*HONEST, *habit]:
        signs.add(row)
    assert {(test.judge, test.check) for test in signs.faults("mine")} == {
        ("y by logprobs", "one probability"), ("y by logprobs", "one place"),
    }  # fmt: skip
