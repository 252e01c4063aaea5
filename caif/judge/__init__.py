"""The judge: which of two answers is better under one principle.

The log-odds of both orders are averaged, not the probabilities: if a judge's lean to the first place is b and the content
is worth c, the orders give c + b and c - b, so the mean is c exactly, while a mean of probabilities shrinks to one half
(METHODS 3.2). So p(a, b) + p(b, a) = 1, identical answers get 0.5, and a judge that only likes the first place says 0.5.
What cannot be read as a verdict is a failure of its own kind, never a tie and never a number.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from caif.constitution import Principle
from caif.data import Comparison, Judgement
from caif.judge.bench import (
    DEAD_BAND,
    METHODS,
    MIN_MASS,
    TIMES,
    Bench,
    Method,
    Orders,
    Outcome,
    Reading,
    Wording,
    spent,
)  # fmt: skip
from caif.judge.inert import suspicious
from caif.judge.pairs import Asked, by_logprobs, by_reasoning, by_votes, read_letter
from caif.judge.single import by_likelihood, by_rubric, by_score, by_yes

READERS: dict[Method, Callable[[Bench, Asked], list[Outcome]]] = {
    "logprobs": by_logprobs,
    "reasoned": by_reasoning,
    "votes": by_votes,
    "pointwise": by_yes,
    "rubric": by_rubric,
    "score": by_score,
    "likelihood": by_likelihood,
}
"""What each method asks, and how it reads the answers."""


def judge_all(bench: Bench, asked: Sequence[tuple[Comparison, Principle]], source: str = "") -> list[Judgement]:
    """Return a Judgement for each comparison under its principle, in order."""
    if not asked:
        return []
    outcomes = READERS[bench.method](bench, asked)
    return [judgement(bench, c, p, source, outcome) for (c, p), outcome in zip(asked, outcomes, strict=True)]


def judgement(bench: Bench, c: Comparison, p: Principle, source: str, outcome: Outcome) -> Judgement:
    """Return what was read of a comparison as a Judgement: a verdict with its probability, or a failure of its kind."""
    ab, ba = outcome
    readings = [reading for reading in outcome if reading is not None]
    about: dict[str, Any] = {
        "comparison": c, "principle": p.id, "objective": p.objective, "judge": bench.model.id, "source": source,
        "method": bench.method, "said": tuple(text for r in readings for text in r.said),
        "suspected_injection": bool(suspicious(c.a) or suspicious(c.b)),
        "law": _law(p), **(cost := spent(readings)), "price": bench.model.price(cost["tokens_in"], cost["tokens_out"]),
    }  # fmt: skip
    for reading in readings:
        if reading.verdict is not None:
            return Judgement(**about, verdict=reading.verdict, reason=reading.reason)
    about["mass"] = min(reading.mass for reading in readings)
    if any(reading.idle > 0 for reading in readings):  # the other order alone would be a label by place
        return Judgement(**about, verdict="not_applicable", reason="the judge says so")
    about["logit_ab"] = ab.logit
    lean, signed = _lean(bench, ab, ba)
    if ba is not None:
        about["logit_ba"] = 0.0 - ba.logit  # never -0.0, which would be another row
        about["flipped"] = ab.logit * -ba.logit < 0
    likelier = min(lean, bench.clamp or 1.0)  # never from the other side: 1 - p would round otherwise when swapped
    verdict = "tie" if lean - 0.5 <= bench.dead_band else "a" if signed > 0 else "b"
    return Judgement(**about, verdict=verdict, p_a=likelier if signed >= 0 else 1 - likelier)


@cache
def _law(principle: Principle) -> str:
    return principle.digest


def _lean(bench: Bench, ab: Reading, ba: Reading | None) -> tuple[float, float]:
    """Return the likelier answer's probability, and a number whose sign says whether that is a."""
    first = ab.logit / bench.temperature
    second = first if ba is None else -ba.logit / bench.temperature  # in the second order a stands second
    if bench.orders == "agree_only" and first * second < 0:
        return 0.5, 0.0
    if bench.orders == "mean_prob":  # 1/2 + what tanh says is the sigmoid, and changes nothing but its sign when swapped
        signed = (math.tanh(first / 2) + math.tanh(second / 2)) / 4
        return 0.5 + abs(signed), signed
    signed = (first + second) / 2
    return 1 / (1 + math.exp(-abs(signed))), signed


__all__ = [
    "DEAD_BAND", "METHODS", "MIN_MASS", "TIMES", "Bench", "Method", "Orders", "Wording", "judge_all", "judgement", "read_letter",
]  # fmt: skip
