"""The labeler bugs of PEERS 2.0, written anew as fake labelers: each is refused, and for the right reason.

`check_labeler` costs no call; what it cannot see, the self-test does. An honest labeler, `judge_all`, passes both.
"""

import random
import re
from collections.abc import Sequence
from functools import partial

import pytest
from knowing import Knowing, said

from caif.constitution import Constitution, Principle
from caif.data import Comparison, Judgement
from caif.errors import CaifError
from caif.hookspecs import Answer, Params, Request
from caif.judge import METHODS, Bench, Method, judge_all
from caif.judge.faults import FAULTS, faults
from caif.judge.selftest import selftest
from caif.testing import check_labeler

LAW = Constitution(
    name="law",
    objectives={"o": "O."},
    principles=(Principle(id="p", objective="o", critique="?", revision="!", compare="Which?"),),
)
Asked = Sequence[tuple[Comparison, Principle]]
VOTE = "{prompt}\n\n{compare}\n\nOptions:\n(A) {a}\n(B) {b}\n\nWhich option? A or B."
RATE = "{prompt}\n\nAnswer: {a}\n\nRate it from 1 to 9."


def written(bench: Bench, asked: Asked, template: str = VOTE, *, swap: bool = False) -> list[Answer]:
    """Return what the judge writes about each comparison, as labelers written by hand ask for it."""
    talks = []
    for c, p in asked:
        a, b = (c.b, c.a) if swap else (c.a, c.b)
        talks.append(template.format(prompt=c.prompt.text, compare=p.compare, a=a, b=b))
    requests = [Request(c.id, [{"role": "user", "content": talk}]) for (c, _), talk in zip(asked, talks, strict=True)]
    return bench.ask(bench.model, requests, Params(0.0, 8))


def choice(c: Comparison, p: Principle, letter: str) -> Judgement:
    return said(c, p.id, {"A": "a", "B": "b"}[letter], {"A": 0.95, "B": 0.05}[letter])


def never_uses_the_verdict(bench: Bench, asked: Asked) -> list[Judgement]:
    """open-instruct: the condition that looks at the verdict can never be true, so the first one is always chosen."""
    answers = written(bench, asked)
    return [
        choice(c, p, "B" if a.text == "A" and a.text == "B" else "A") for (c, p), a in zip(asked, answers, strict=True)
    ]


def loses_the_run(bench: Bench, asked: Asked) -> list[Judgement]:
    """open-instruct: after its last attempt a failed call is None, and None is indexed."""
    answers = [None if answer.failed else answer.text for answer in written(bench, asked)]
    return [
        choice(c, p, text[0]) if text[0] in "AB" else said(c, p.id, "invalid")
        for (c, p), text in zip(asked, answers, strict=True)
    ]  # type: ignore[index]


def makes_ties_random(bench: Bench, asked: Asked) -> list[Judgement]:
    """NeMo-Aligner: where both orders name different answers, a random one is chosen."""
    random.seed(7)
    one, other = written(bench, asked), written(bench, asked, swap=True)
    labels = []
    for (c, p), ab, ba in zip(asked, one, other, strict=True):
        first, second = ab.text, {"A": "B", "B": "A"}.get(ba.text, "")
        labels.append(choice(c, p, first if first == second else random.choice("AB")))
    return labels


def loses_what_it_cannot_read(bench: Bench, asked: Asked) -> list[Judgement]:
    """NeMo-Aligner: a malformed verdict raises, the exception is swallowed, and the row is gone without a count."""
    both = zip(asked, written(bench, asked), written(bench, asked, swap=True), strict=True)
    return [said(c, p.id, "tie", 0.5) for (c, p), ab, ba in both if ab.text in ("A", "B") and ba.text in ("A", "B")]


def cuts_the_prompt(bench: Bench, asked: Asked) -> list[Judgement]:
    """llm-swarm: the prompt is what stands before its first ": " after the role."""
    cut = [(c.but(prompt=c.prompt.of(c.prompt.text.split(": ")[0])), p) for c, p in asked]
    judged = judge_all(bench._replace(method="logprobs"), cut)
    return [j.but(comparison=c) for j, (c, _) in zip(judged, asked, strict=True)]


def asks_nobody(bench: Bench, asked: Asked) -> list[Judgement]:
    """llm-swarm: the revision, always b, is chosen, identical or worse."""
    del bench
    return [choice(c, p, "B") for c, p in asked]


def rated(bench: Bench, asked: Asked, read: str) -> list[tuple[float | None, float | None]]:
    def number(answer: Answer) -> float | None:
        found = re.search(read, answer.text)
        return float(found.group()) if found and not answer.failed else None

    return [
        (number(a), number(b))
        for a, b in zip(written(bench, asked, RATE), written(bench, asked, RATE, swap=True), strict=True)
    ]


def takes_the_first_maximum(bench: Bench, asked: Asked) -> list[Judgement]:
    """distilabel: argmax over ratings, so equal ratings prefer the first."""
    labels = []
    for (c, p), (a, b) in zip(asked, rated(bench, asked, r"^[1-9]$"), strict=True):
        labels.append(said(c, p.id, "invalid") if a is None or b is None else choice(c, p, "A" if a >= b else "B"))
    return labels


def crashes_on_a_missing_rating(bench: Bench, asked: Asked) -> list[Judgement]:
    """distilabel: a rating that is None is compared with a number."""
    return [
        said(c, p.id, "tie", 0.5) if a == b else choice(c, p, "A" if a > b else "B")  # type: ignore[operator]
        for (c, p), (a, b) in zip(asked, rated(bench, asked, r"^[1-9]$"), strict=True)
    ]


def reads_ten_as_one(bench: Bench, asked: Asked) -> list[Judgement]:
    """UltraFeedback: the first digit is the rating, so the best answers get the worst one."""
    labels = []
    for (c, p), answer, (a, b) in zip(asked, written(bench, asked, RATE), rated(bench, asked, r"[1-9]"), strict=True):
        if a is None or b is None:
            labels.append(said(c, p.id, "invalid" if answer.finish == "stop" else "error"))
        else:
            labels.append(said(c, p.id, "tie", 0.5) if a == b else choice(c, p, "A" if a > b else "B"))
    return labels


def makes_the_unreadable_a_tie(bench: Bench, asked: Asked) -> list[Judgement]:
    """tinker-cookbook: what cannot be read is 0.0, which is a tie."""
    value = {"A": 1.0, "B": -1.0}
    both = zip(asked, written(bench, asked), written(bench, asked, swap=True), strict=True)
    labels = []
    for (c, p), ab, ba in both:
        mean = value.get(ab.text, 0.0) - value.get(ba.text, 0.0)
        labels.append(said(c, p.id, "tie", 0.5) if mean == 0 else choice(c, p, "A" if mean > 0 else "B"))
    return labels


def punishes_an_outage(bench: Bench, asked: Asked) -> list[Judgement]:
    """verl, open-instruct: a call that fails is a reward of 0, so the other answer is better."""
    ratings = [(a or 0.0, b or 0.0) for a, b in rated(bench, asked, r"^[1-9]$")]
    return [
        said(c, p.id, "tie", 0.5) if a == b else choice(c, p, "A" if a > b else "B")
        for (c, p), (a, b) in zip(asked, ratings, strict=True)
    ]


def looks_at_the_first_row_only(bench: Bench, asked: Asked) -> list[Judgement]:
    """OpenRLHF: the first sample is tested for a missing reward, the others crash later."""
    ratings = rated(bench, asked, r"^[1-9]$")
    if None in ratings[0]:
        return [said(c, p.id, "error") for c, p in asked]
    return [
        said(c, p.id, "tie", 0.5) if float(a) == float(b) else choice(c, p, "A" if float(a) > float(b) else "B")  # type: ignore[arg-type]
        for (c, p), (a, b) in zip(asked, ratings, strict=True)
    ]


def defaults_to_a(bench: Bench, asked: Asked) -> list[Judgement]:
    """constitutional-ai: one order, and A if unclear."""
    return [
        choice(c, p, "B" if a.text.strip() == "B" else "A")
        for (c, p), a in zip(asked, written(bench, asked), strict=True)
    ]


def averages_what_is_left(bench: Bench, asked: Asked) -> list[Judgement]:
    """TRL, ms-swift: a sum over what did not fail, so half of the evidence decides as if it were all."""
    value = {"A": 1.0, "B": -1.0}
    labels = []
    for (c, p), ab, ba in zip(asked, written(bench, asked), written(bench, asked, swap=True), strict=True):
        left = [value[ab.text]] if ab.text in value else []
        left += [-value[ba.text]] if ba.text in value else []
        kind = next((answer.finish for answer in (ab, ba) if answer.failed), "invalid")
        total = sum(left)
        labels.append(
            said(c, p.id, kind)
            if not left
            else said(c, p.id, "tie", 0.5)
            if total == 0
            else choice(c, p, "A" if total > 0 else "B")
        )
    return labels


GALLERY = [
    (never_uses_the_verdict, "a judge that always says the same", "prefers an answer"),
    (loses_the_run, "failed calls", "raises TypeError"),
    (makes_ties_random, "a judge that always says the same", "prefers an answer"),
    (loses_what_it_cannot_read, "failed calls", "returns 0 judgements for 3 comparisons"),
    (loses_what_it_cannot_read, "replies that name no answer", "returns 0 judgements for 3 comparisons"),
    (cuts_the_prompt, "what the judge is shown", "is not shown the whole prompt: 'Explain this word: mist. Keep"),
    (asks_nobody, "what the judge is shown", "the judge is never asked"),
    (takes_the_first_maximum, "a judge that always says the same", "prefers an answer"),
    (crashes_on_a_missing_rating, "failed calls", "raises TypeError"),
    (reads_ten_as_one, '"10" where 1 to 9 is asked', "prefers an answer"),
    (makes_the_unreadable_a_tie, "replies that name no answer", "prefers an answer"),
    (punishes_an_outage, "failed calls", "prefers an answer"),
    (looks_at_the_first_row_only, "failed calls", "raises TypeError"),
    (defaults_to_a, "a judge that always says the same", "prefers an answer"),
    (averages_what_is_left, "failed calls", "prefers an answer"),
]


@pytest.mark.parametrize(("labeler", "check", "reason"), GALLERY, ids=lambda value: getattr(value, "__name__", None))
def test_each_bug_is_refused_for_the_right_reason(labeler: object, check: str, reason: str) -> None:
    """Without a call to any model."""
    found = {finding.check: finding for finding in faults(labeler, ["votes"])}  # type: ignore[arg-type]
    assert not found[check].passed, found
    assert reason in found[check].reason
    with pytest.raises(CaifError, match="^the labeler "):
        check_labeler(labeler, ["votes"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labeler", "check", "reason"),
    [
        (never_uses_the_verdict, "swapped", "do not add up to 1: 0.95 and 0.95"),
        (never_uses_the_verdict, "identical", "one of two identical answers is preferred"),
        (asks_nobody, "identical", "one of two identical answers is preferred"),
        (makes_ties_random, "identical", "one of two identical answers is preferred"),
        (loses_what_it_cannot_read, "known answers", "0 of 22 right"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_self_test_finds_them_with_a_judge_that_knows(labeler: object, check: str, reason: str) -> None:
    """The judge is right on everything here: what is wrong is what the labeler makes of it."""
    found = {finding.check: finding for finding in selftest(partial(labeler, Knowing().bench("votes")), LAW, 0)}  # type: ignore[call-overload]
    assert not found[check].passed, found
    assert reason in found[check].reason


@pytest.mark.parametrize("method", METHODS)
def test_an_honest_labeler_bears_every_fault(method: Method) -> None:
    """caif's own labeler abstains in the right way by every method."""
    checks = check_labeler(judge_all, [method])
    assert {
        "a judge that always says the same",
        "what the judge is shown",
        "failed calls",
        "refusals",
        "filtered replies",
    } <= set(checks)


def test_all_faults_are_tried_on_some_method() -> None:
    """No fault is there for show."""
    assert {fault.name for fault in FAULTS} < set(check_labeler(judge_all))
