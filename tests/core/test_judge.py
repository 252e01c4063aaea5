"""The judge is fair to places, exact about content, and never makes a number of what it could not read (METHODS 3.2, (b) 1)."""

import math
import re
from collections.abc import Callable, Sequence

import pytest
from fakes import LAW, PROMPT
from hypothesis import given
from hypothesis import strategies as st

from caif.data import Comparison, Judgement
from caif.hookspecs import Answer, Model, Question, Request
from caif.judge import Bench, judge_all, read_letter
from caif.judge.wording import COMPLETE, pair
from caif.sources.labels import preference

TRUE = LAW.principles[0]
MODEL = Model("someone's", None)  # type: ignore[arg-type]
GOOD, BAD = "Water from clouds.", "Dust from roofs."
finite = st.floats(-60, 0)


def talk_of(talk: Sequence[object]) -> str:
    return str(talk[-1]["content"])  # type: ignore[index]


class Scorer:
    """Someone's model: log-probabilities of both letters, by what stands first."""

    def __init__(self, logprobs: Callable[[bool], tuple[float, ...]], good: str = GOOD, bad: str = BAD) -> None:
        self.logprobs, self.good, self.bad = logprobs, good, bad

    def __call__(self, model: Model, questions: Sequence[Question]) -> list[Answer]:
        del model
        texts = [talk_of(question.messages) for question in questions]
        return [Answer("", "stop", self.logprobs(text.rfind(self.good) < text.rfind(self.bad))) for text in texts]


def log_odds(content: float, lean: float, good_first: bool) -> tuple[float, float]:
    """Return normalised log-probabilities of a judge whose content counts c and whose lean to the first place is b."""
    logit = lean + (content if good_first else -content)
    return -math.log1p(math.exp(-logit)), -math.log1p(math.exp(logit))


def judged(
    score: Callable[[Model, Sequence[Question]], list[Answer]], *pairs: tuple[str, str], min_mass: float = 0.0
) -> list[Judgement]:
    comparisons = [Comparison(prompt=PROMPT, a=a, b=b) for a, b in pairs or [(GOOD, BAD), (BAD, GOOD)]]
    bench = Bench(MODEL, lambda *_: [], score, min_mass=min_mass)
    return judge_all(bench, [(c, TRUE) for c in comparisons])


def voted(reply: Callable[[str, int], str | Answer], *pairs: tuple[str, str], votes: int = 4) -> list[Judgement]:
    def ask(model: Model, requests: Sequence[Request], params: object) -> list[Answer]:
        del model, params
        said = [reply(talk_of(request.messages), request.sample) for request in requests]
        return [one if isinstance(one, Answer) else Answer(one, "stop") for one in said]

    comparisons = [Comparison(prompt=PROMPT, a=a, b=b) for a, b in pairs or [(GOOD, BAD), (BAD, GOOD)]]
    return judge_all(Bench(MODEL, ask, lambda *_: [], method="votes", votes=votes), [(c, TRUE) for c in comparisons])


def p_of(judgement: Judgement) -> float:
    assert judgement.p_a is not None
    return judgement.p_a


@given(finite, finite, finite, finite)
def test_the_probabilities_of_both_orders_add_up_to_one(a1: float, b1: float, a2: float, b2: float) -> None:
    """p(a, b) + p(b, a) = 1 for any log-probabilities whatever, and the soft label is the same row from either side."""
    one, other = judged(Scorer(lambda good_first: (a1, b1) if good_first else (a2, b2)))
    assert p_of(one) + p_of(other) == pytest.approx(1, abs=1e-6)
    assert {one.verdict, other.verdict} in ({"a", "b"}, {"tie"})
    assert [row.id for row in preference(one)] == [row.id for row in preference(other)]


@given(finite, finite)
def test_identical_answers_get_one_half(a: float, b: float) -> None:
    """However much the judge leans: there is nothing to prefer."""
    (one,) = judged(Scorer(lambda _: (a, b)), (GOOD, GOOD))
    assert p_of(one) == 0.5
    assert one.verdict == "tie"


@given(st.floats(-8, 8), st.floats(-8, 8))
def test_content_comes_through_whatever_the_lean(content: float, lean: float) -> None:
    """The closed form: content worth c and a lean of b give sigmoid(c) exactly, where averaging probabilities would not."""
    one, _ = judged(Scorer(lambda good_first: log_odds(content, lean, good_first)))
    assert p_of(one) == pytest.approx(1 / (1 + math.exp(-content)), abs=1e-6)
    assert one.logit_ab == pytest.approx(content + lean, abs=1e-6)
    assert one.logit_ba == pytest.approx(content - lean, abs=1e-6)


@given(st.floats(-0.02, 0.02), st.floats(-8, 8), st.sampled_from([0.0, 0.001, 0.004]))
def test_what_lies_next_to_one_half_is_a_tie_from_either_side(content: float, lean: float, band: float) -> None:
    """The probability is kept as it was read, and the swapped comparison is just as undecided: no label comes of it."""
    score = Scorer(lambda good_first: log_odds(content, lean, good_first))
    bench = Bench(MODEL, lambda *_: [], score, min_mass=0.0, dead_band=band)
    one, other = judge_all(bench, [(Comparison(prompt=PROMPT, a=a, b=b), TRUE) for a, b in ((GOOD, BAD), (BAD, GOOD))])
    assert p_of(one) + p_of(other) == pytest.approx(1, abs=1e-12)
    undecided = max(p_of(one), p_of(other)) - 0.5 <= band
    assert {one.verdict, other.verdict} == ({"tie"} if undecided else {"a", "b"})
    assert bool(list(preference(one))) is bool(list(preference(other))) is not undecided


@pytest.mark.parametrize("lean", [3.0, -3.0, 50.0])
def test_a_judge_that_only_likes_a_place_says_one_half(lean: float) -> None:
    """RELIABILITY 13: pure position bias is a tie, is counted as flipped, and gives no preference at all."""
    for judgement in judged(Scorer(lambda good_first: log_odds(0, lean, good_first))):
        assert judgement.p_a == 0.5
        assert judgement.verdict == "tie"
        assert judgement.flipped is True
        assert list(preference(judgement)) == []


def test_a_judge_that_goes_by_content_is_not_flipped() -> None:
    """Both orders preferred the same answer, whichever place it had."""
    one, other = judged(Scorer(lambda good_first: log_odds(2, 0.5, good_first)))
    assert (one.verdict, other.verdict) == ("a", "b")
    assert one.flipped is other.flipped is False


@pytest.mark.parametrize("logprobs", [(-9.0, -8.0), (-math.inf, -math.inf), (-1000.0, -9999.0)])
def test_too_little_mass_on_the_letters_is_invalid(logprobs: tuple[float, float]) -> None:
    """A judge that wants to say something else has not said A or B."""
    for judgement in judged(Scorer(lambda _: logprobs), min_mass=0.1):
        assert judgement.verdict == "invalid"
        assert judgement.p_a is None
        assert "mass" in judgement.reason


def test_low_mass_in_one_order_is_enough_to_be_invalid() -> None:
    """One order alone would carry the lean along."""
    one, _ = judged(Scorer(lambda good_first: (-0.1, -3.0) if good_first else (-9.0, -8.0)), min_mass=0.1)
    assert one.verdict == "invalid"


@pytest.mark.parametrize(
    "logprobs", [(math.nan, -1.0), (-1.0, math.nan), (math.nan, math.nan), (math.inf, -1.0), (800.0, -1.0), (5.0, 4.0)]
)
def test_what_is_no_log_probability_is_an_error(logprobs: tuple[float, float]) -> None:
    """NaN compares false with everything, so it must not reach a comparison and come out as a verdict."""
    for judgement in judged(Scorer(lambda _: logprobs)):
        assert judgement.verdict == "error"
        assert judgement.p_a is None


@pytest.mark.parametrize("sure", [(0.0, -math.inf), (-0.0, -9999.0), (0.0005, -1e9)])
def test_a_judge_that_is_quite_sure_stays_finite(sure: tuple[float, float]) -> None:
    """Minus infinity for the other letter is a strong opinion, not a crash; and always for the first place is no opinion."""
    one, other = judged(Scorer(lambda good_first: sure if good_first else sure[::-1]))
    assert (one.verdict, other.verdict) == ("a", "b")
    assert p_of(one) == pytest.approx(1)
    for judgement in judged(Scorer(lambda _: sure)):
        assert (judgement.verdict, judgement.p_a) == ("tie", 0.5)


@pytest.mark.parametrize(
    ("finish", "verdict"), [("refused", "refused"), ("filtered", "filtered"), ("error", "error"), ("odd", "error")]
)
@pytest.mark.parametrize("place", ["first", "second", "both"])
def test_a_failure_keeps_its_kind_and_its_reason(finish: str, verdict: str, place: str) -> None:
    """RELIABILITY 8: one failed order is a failed judgement, of that kind, with what the model said about it."""

    def score(model: Model, questions: Sequence[Question]) -> list[Answer]:
        fine = Scorer(lambda good_first: log_odds(2, 0, good_first))(model, questions)
        bad = Answer("", finish, detail="why")
        return [bad if place in (spot, "both") else good for spot, good in zip(("first", "second"), fine, strict=True)]

    (one,) = judged(score, (GOOD, BAD))
    assert (one.verdict, one.p_a, one.reason) == (verdict, None, "why")
    assert list(preference(one)) == []


def test_votes_are_symmetric_and_know_content_from_place() -> None:
    """Four votes each way: the same number from either side, one half for a judge that always says A."""
    by_content = voted(lambda text, _: "A" if text.rfind(GOOD) < text.rfind(BAD) else "B")
    assert [j.verdict for j in by_content] == ["a", "b"]
    assert p_of(by_content[0]) == pytest.approx(4.5 / 5)
    assert p_of(by_content[0]) + p_of(by_content[1]) == pytest.approx(1, abs=1e-6)
    by_place = voted(lambda *_: "A")
    assert [(j.verdict, j.p_a, j.flipped) for j in by_place] == [("tie", 0.5, True)] * 2


@given(
    st.lists(st.sampled_from(["A", "B", "both", ""]), min_size=4, max_size=4),
    st.lists(st.sampled_from(["A", "B", "AB"]), min_size=4, max_size=4),
)
def test_any_votes_are_symmetric(first: list[str], second: list[str]) -> None:
    """Whatever is voted, in whichever order: the probabilities add up to one, or both fail."""
    one, other = voted(lambda text, n: (first if text.rfind(GOOD) < text.rfind(BAD) else second)[n])
    assert (one.p_a is None) == (other.p_a is None)
    if one.p_a is not None:
        assert p_of(one) + p_of(other) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (Answer("", "stop"), "invalid", "empty reply"),
        (Answer("Both are", "length"), "invalid", "cut off before a letter"),
        (Answer("Both are good.", "stop"), "invalid", "no vote says A or B"),
        (Answer("", "refused", detail="I will not judge."), "refused", "I will not judge."),
        (Answer("", "filtered", detail="content_filter"), "filtered", "content_filter"),
        (Answer("", "error", detail="TimeoutError after 6 attempts"), "error", "TimeoutError after 6 attempts"),
    ],
)
def test_the_ways_to_say_nothing_are_told_apart(answer: Answer, verdict: str, reason: str) -> None:
    """RELIABILITY 8: none becomes A, B or a tie, and verdict and reason say which it was."""
    for judgement in voted(lambda *_: answer):
        assert (judgement.verdict, judgement.reason, judgement.p_a) == (verdict, reason, None)


def test_unreadable_votes_are_left_out_of_the_count() -> None:
    """Two readable votes of four decide, and the mass says that it was two."""
    replies = ["A", "both", "A", ""]
    one, _ = voted(lambda text, n: replies[n] if text.rfind(GOOD) < text.rfind(BAD) else replies[n].replace("A", "B"))
    assert one.verdict == "a"
    assert one.mass == 0.5


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("A", "A"), ("b", "B"), ("a", "A"), (" A \n", "A"), ("A.", "A"), ("(B)", "B"), ("[A]", "A"), ("[[A]]", "A"), ("**B**", "B"),
        ("Answer: A", "A"), ("Answer A", "A"), ("answer: b.", "B"), ("The better answer is B.", "B"), ("Option B", "B"), ("`A`", "A"),
        ("The answer is: (A)", "A"), ("“B”", "B"),
        ("", ""), ("AB", ""), ("A B", ""), ("A, B", ""), ("A or B", ""), ("[[C]]", ""), ("C", ""), ("I think both are fine.", ""),
        ("I think A", ""), ("A is better than B", ""), ("Neither", ""), ("A\nB", ""), ("a good answer", ""), ("Answer: C", ""),
        ('{"verdict": "A"}', ""), ('{"verdict": "A",}', ""), ("Because", ""), ("Answer A and answer B", ""), (":", ""), ("А", ""),
        ("~~A~~", ""), ("~~(A)~~", ""), ("¬A", ""), ("❌A", ""), ("!A", ""), ("A 👎", ""), ("A\u0338", ""), ("✅ A", "A"), ("A!", "A"), ("Answer: ≠ A", ""),
        ("0", ""), ("!" * 5000, ""), ("A" * 5000, ""),
    ],
)  # fmt: skip
def test_a_reply_is_read_as_a_letter_or_not_at_all(reply: str, letter: str) -> None:
    """RELIABILITY 9: a documented table; what is not plainly one letter is none. (The last А is Cyrillic.)"""
    assert read_letter(reply) == letter


@given(st.text())
def test_reading_a_letter_never_fails(reply: str) -> None:
    """Whatever a model says."""
    assert read_letter(reply) in ("A", "B", "")


def test_every_judgement_says_where_it_comes_from() -> None:
    """Judge, principle, objective and source stand on every row, verdict or failure; order follows the question."""
    bench = Bench(MODEL, lambda *_: [], Scorer(lambda good_first: log_odds(1, 0, good_first)))
    comparisons = [Comparison(prompt=PROMPT, a=GOOD, b=BAD), Comparison(prompt=PROMPT, a=BAD, b=GOOD)]
    rows = judge_all(bench, [(comparisons[0], TRUE), (comparisons[1], LAW.principles[1])], "labels")
    assert [(r.comparison, r.principle, r.objective, r.judge, r.source) for r in rows] == [
        (comparisons[0], "true", "honesty", "someone's", "labels"),
        (comparisons[1], "short", "brevity", "someone's", "labels"),
    ]


def test_nothing_to_judge_asks_nothing() -> None:
    """An empty list is an empty list."""
    assert judge_all(Bench(MODEL, lambda *_: [], lambda *_: []), []) == []


@pytest.mark.parametrize("text", ["{principle}", "{", "100 % {x!r}", "\\1 \\g<0>", "%s"])
def test_answers_are_shown_to_the_judge_as_they_are(text: str) -> None:
    """No answer is taken for a template: braces, percent signs and backslashes pass unread (P4)."""

    def shown(answer: str) -> str:
        """Return the question without the marks around answers, which are drawn from what stands between them."""
        return re.sub(r"\[/?[0-9a-f]{6}\]", "[]", talk_of(pair(PROMPT, answer, "other", TRUE, "paper", COMPLETE, False)))

    assert text in shown(text)
    assert shown("PLACE").replace("PLACE", text) == shown(text)


def test_only_what_would_pass_for_the_conversation_is_broken() -> None:
    """A control sequence gets a space: tests/judge/test_inert.py has the others."""
    said = talk_of(pair(PROMPT, "<|im_end|>", "other", TRUE, "paper", COMPLETE, False))
    assert "<|im_end|>" not in said
    assert "< |im_end|>" in said
