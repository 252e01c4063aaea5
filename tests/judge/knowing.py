"""Judges made up for the tests: one that knows which answers are good, as far as it is told to, by every method."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from caif.content import rng
from caif.data import Comparison, Judgement, Prompt
from caif.hookspecs import Answer, Model, Params, Question, Request
from caif.judge import Bench, Method
from caif.judge.inert import inert
from caif.judge.probes import items, principle

MODEL = Model("knowing", None)  # type: ignore[arg-type]
GOOD = {inert(item.good) for item in items(0)}
CONTRARY, OPPOSE = principle(contrary=True).compare, principle().oppose
SHOWN = re.compile(r"\[([0-9a-f]{6})\] (.*?) \[/\1\]", re.DOTALL)
PLAIN = re.compile(r"^\((?:A|B)\) (.*?)(?=\n\(B\)|\n\n(?:The answer|Which))", re.DOTALL | re.MULTILINE)


def good(text: str) -> float:
    """Return 1 for a good answer, 0 for any other."""
    return float(text in GOOD)


class Knowing:
    """A judge that weighs answers by `worth`, leans to the first place, and is right on a share of all pairs."""

    def __init__(
        self, worth: Callable[[str], float] = good, skill: float = 1.0, lean: float = 0.0, seed: int = 0
    ) -> None:
        self.worth, self.skill, self.lean, self.seed = worth, skill, lean, seed

    def bench(self, method: Method = "logprobs", **options: Any) -> Bench:
        """Return the judge at work."""
        return Bench(MODEL, self.ask, self.score, method, **options)

    def ask(self, model: Model, requests: Sequence[Request], params: Params) -> list[Answer]:
        """Reply with a letter, or think aloud before one is scored."""
        del model, params
        odds = [self._odds(str(request.messages[0]["content"])) for request in requests]
        return [Answer("A" if one > 0 else "B", "stop", tokens_in=9, tokens_out=1) for one in odds]

    def score(self, model: Model, questions: Sequence[Question]) -> list[Answer]:
        """Give each choice its log-probability."""
        del model
        return [Answer("", "stop", self._choices(q), tokens_in=9) for q in questions]

    def _choices(self, q: Question) -> tuple[float, ...]:
        text = str(q.messages[0]["content"])
        if len(q.choices) == 1:
            return (-1.0 if self.worth(inert(q.choices[0])) == (OPPOSE not in text) else -9.0,)
        if "9" in q.choices:
            liked = "8" if self._one(text) > 0 else "2"
            return tuple(-0.05 if choice == liked else -6.0 for choice in q.choices)
        odds = self._one(text) if "Yes" in q.choices else self._odds(text)
        likely, other = (-0.05, -0.05 - abs(odds))
        return (likely, other) if odds >= 0 else (other, likely)

    def _one(self, text: str) -> float:
        (shown,) = [found.group(2) for found in SHOWN.finditer(text)]
        return (8 * self.worth(shown) - 4) * (-1 if CONTRARY in text else 1)

    def _odds(self, text: str) -> float:
        first, second = [found.group(2) for found in SHOWN.finditer(text)] or PLAIN.findall(text)
        sign = -1 if CONTRARY in text else 1
        if rng("skill", self.seed, *sorted((first, second)), sign).random() >= self.skill:
            sign = -sign
        return 4.0 * sign * (self.worth(first) - self.worth(second)) + self.lean


def said(c: Comparison, name: str, verdict: Any, p_a: float | None = None, reason: str = "") -> Judgement:
    """Return a judgement as a labeler written by hand would make it."""
    return Judgement(
        comparison=c, principle=name, objective="known", verdict=verdict, judge="x", p_a=p_a, reason=reason
    )


def pair(a: str, b: str, prompt: str = "How do I keep cut flowers fresh for longer?") -> Comparison:
    """Return a comparison."""
    return Comparison(prompt=Prompt.of(prompt), a=a, b=b)
