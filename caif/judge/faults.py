"""What a labeler makes of models that fail: the right abstention, for those rows alone, never a preference.

No model is asked. The labeler is given a bench whose `ask` and `score` fail on purpose: all calls, those of one row, or
those of one order (or of one answer, for methods that look at one at a time). Whatever does not fail says the same each
time, so it prefers no answer; every preference that comes out was made from a failure or from a place.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from caif.constitution import Principle
from caif.data import FAILURES, Comparison, Judgement, Prompt, Verdict
from caif.hookspecs import Answer, Model, Params, Question, Request
from caif.judge.bench import METHODS, Bench, Method
from caif.judge.probes import principle
from caif.judge.selftest import Finding

Labeler = Callable[[Bench, Sequence[tuple[Comparison, Principle]]], list[Judgement]]

BASES = ("A", "Yes", "5", "[[A]]")
"""What a model that writes says where it does not fail: the same for all, in the form that most labelers can read."""
HABIT, RARE = -0.1, -6.0
ROWS = tuple(
    Comparison(
        prompt=Prompt.of(f"Explain this word: {word}. Keep to this: one line, in plain words for {whom}."), a=a, b=b
    )
    for word, whom, a, b in (
        ("mist", "sailors", "Thin cloud near the ground.", "A kind of hammer."),
        ("dusk", "farmers", "A cake with plums.", "The time just after sunset."),
        ("quay", "children", "A place where ships tie up.", "The middle of an onion."),
    )
)
"""Comparisons that no fault makes special. Their prompts hold colons, at which careless code cuts."""


WORST = ("raises", "prefers", "")
"""How complaints begin, the worst first: that is the one that is told."""


class Fault(NamedTuple):
    """One way to fail: what a call gives instead of an answer, and which verdicts are then the truth."""

    name: str
    answer: Callable[[tuple[str, ...]], Answer]
    verdicts: tuple[Verdict, ...]
    writes: bool | None = None
    """Whether it is a fault of calls that write, of calls that score, or (None) of both."""


def _said(text: str, finish: str = "stop", detail: str = "") -> Callable[[tuple[str, ...]], Answer]:
    return lambda _: Answer(text, finish, detail=detail)


def _scored(*values: float) -> Callable[[tuple[str, ...]], Answer]:
    return lambda choices: Answer("", "stop", (values * len(choices))[: len(choices)] if values else ())


def _ten(choices: tuple[str, ...]) -> Answer:
    if "10" not in choices:
        return _habit(choices)
    return Answer("", "stop", tuple(-0.01 if choice in ("1", "10") else -12.0 for choice in choices))


def _elsewhere(choices: tuple[str, ...]) -> Answer:
    return (
        Answer("", "stop", (-40.0,) * len(choices)) if all(len(choice) < 5 for choice in choices) else _habit(choices)
    )


def _habit(choices: tuple[str, ...]) -> Answer:
    return Answer("", "stop", (HABIT, *[RARE] * (len(choices) - 1)))


FAULTS = (
    Fault("failed calls", _said("", "error", "TimeoutError after 6 attempts"), ("error",)),
    Fault("refusals", _said("", "refused", "I will not judge."), ("refused",)),
    Fault("filtered replies", _said("", "filtered", "content_filter"), ("filtered",)),
    Fault("empty replies", _said(""), ("invalid",), True),
    Fault("blank replies", _said(" \n"), ("invalid",), True),
    Fault("replies cut off", _said("Both of them have", "length"), ("invalid",), True),
    Fault("replies that name no answer", _said("I think both are fine."), ("invalid",), True),
    Fault("replies that name both answers", _said("A or B"), ("invalid",), True),
    Fault("a letter that is no option", _said("[[D]]"), ("invalid",), True),
    Fault('"10" where 1 to 9 is asked', _said("10"), ("invalid",), True),
    Fault('"10" where a digit is asked', _ten, ("invalid",), False),
    Fault("log-probabilities missing", _scored(), ("error", "invalid"), False),
    Fault("log-probabilities that are NaN", _scored(math.nan), ("error", "invalid"), False),
    Fault("one log-probability that is NaN", _scored(math.nan, HABIT), ("error", "invalid"), False),
    Fault("log-probabilities over 0", _scored(5.0, 4.0), ("error", "invalid"), False),
    Fault("no probability on the options", _elsewhere, ("invalid",), False),
)


class Faulty:
    """A model that fails where it is told to, and remembers what it was asked and whether it failed."""

    def __init__(self, fault: Fault | None, hit: Callable[[str], bool], base: str) -> None:
        self.fault, self.hit, self.base = fault, hit, base
        self.hits, self.wrote, self.scored, self.ties = 0, False, False, False
        self.seen: list[str] = []

    def ask(self, model: Model, requests: Sequence[Request], params: Params) -> list[Answer]:
        """Answer in writing."""
        del model, params
        self.wrote = True
        return [self._one(r.messages, (), True, lambda _: Answer(self.base, "stop")) for r in requests]

    def score(self, model: Model, questions: Sequence[Question]) -> list[Answer]:
        """Answer in log-probabilities, the first choice always the likeliest."""
        del model
        self.scored = True
        return [self._one(q.messages, q.choices, False, _habit) for q in questions]

    def _one(
        self, messages: Sequence[Any], choices: tuple[str, ...], writes: bool, base: Callable[[Any], Answer]
    ) -> Answer:
        text = "\n".join([*(str(message["content"]) for message in messages), *choices])
        self.seen.append(text)
        usual = base(choices)
        if self.fault is None or self.fault.writes not in (None, writes) or not self.hit(text):
            return usual
        answer = self.fault.answer(choices)
        self.hits += answer != usual
        return answer


def faults(labeler: Labeler, methods: Sequence[Method] = METHODS) -> list[Finding]:
    """Return what the labeler does wrong under each fault, or that it does nothing wrong; the same fault once.

    `right` of `asked` are the trials of a fault that ended as they should.
    """
    trials: dict[str, list[str]] = {}
    for method in methods:
        for name, complaint in _trials(labeler, method):
            trials.setdefault(name, []).append(complaint)
    found = []
    for name, complaints in trials.items():
        wrong = [complaint for complaint in complaints if complaint]
        worst = min(
            wrong,
            key=lambda complaint: next(n for n, kind in enumerate(WORST) if complaint.startswith(kind)),
            default="",
        )
        found.append(Finding(name, not wrong, worst or "abstains", len(complaints) - len(wrong), len(complaints)))
    return found


def _trials(labeler: Labeler, method: Method) -> Iterator[tuple[str, str]]:
    """Yield each trial's fault and what was wrong with its outcome, "" if nothing was."""
    habits = [Faulty(None, _all, base) for base in BASES]
    said = [_complaint(labeler, method, habit, ()) for habit in habits]
    yield from (("a judge that always says the same", complaint) for complaint in said)
    yield "what the judge is shown", _unseen(habits[0])
    readable = [habit.base for habit in habits if habit.ties]
    for base in (readable if habits[0].wrote else readable[:1]) or BASES[:1]:
        hits = ((_all, ROWS), (_of_last, ROWS[-1:]), (_second_order, ROWS)) if readable else ((_all, ROWS),)
        for fault in FAULTS:
            for hit, rows in hits:
                model = Faulty(fault, hit, base)
                complaint = _complaint(labeler, method, model, rows)
                if model.hits:
                    yield fault.name, complaint


def _all(text: str) -> bool:
    del text
    return True


def _of_last(text: str) -> bool:
    return ROWS[-1].prompt.text in text


def _second_order(text: str) -> bool:
    """Whether b stands before a, or alone."""
    return any(c.b in text and not 0 <= text.find(c.a) < text.find(c.b) for c in ROWS)


def _complaint(labeler: Labeler, method: Method, model: Faulty, failing: Sequence[Comparison]) -> str:
    bench = Bench(Model("faulty", None, model), model.ask, model.score, method)  # type: ignore[arg-type]
    law = principle()
    try:
        said = labeler(bench, [(c, law) for c in ROWS])
    except Exception as error:  # noqa: BLE001 - whatever it raises, all rows of the batch are lost by it
        return f"raises {type(error).__name__}, so one bad answer loses every row"
    if [j.comparison.id for j in said] != [c.id for c in ROWS]:
        return f"returns {len(said)} judgements for {len(ROWS)} comparisons, or not in order: rows are lost or mixed up"
    model.ties = all(j.verdict == "tie" for j in said)
    right: tuple[Verdict, ...] = model.fault.verdicts if model.fault else ("tie",)
    if model.scored and model.fault and model.fault.writes:
        right = (*right, "tie")  # the judge thought aloud before it was read, and may have thought anything
    for j in said:
        if j.verdict in ("a", "b"):
            return f"prefers an answer (p(a) = {j.p_a:.2f}) though nothing was said for either"
        if j.comparison in failing and j.verdict not in right:
            return f"says {j.verdict!r}, not {' or '.join(map(repr, right))}"
        if j.comparison not in failing and j.verdict in FAILURES and model.hits:
            return "one failed row makes the others fail"
    return ""


def _unseen(model: Faulty) -> str:
    """Return which part of a comparison the judge was never shown whole."""
    shown = "\n".join(model.seen)
    if not model.seen:
        return "the judge is never asked"
    for c in ROWS:
        for name, text in (("prompt", c.prompt.text), ("first answer", c.a), ("second answer", c.b)):
            if text not in shown:
                return f"the judge is not shown the whole {name}: {text!r}"
    return ""
