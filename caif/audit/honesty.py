"""Whether a judge's probabilities mean what they say, against people's choices, and the temperature that mends them."""

import math
from collections.abc import Sequence
from statistics import mean
from typing import Any, NamedTuple

from caif.audit.agreement import TIE, A, Labelled, grouped
from caif.audit.bootstrap import of_sums, ratio, redraw
from caif.audit.calibration import brier, calibration_error, calibration_noise, log_loss, reliability, temperature
from caif.content import rng
from caif.data import Judgement

FEWEST = 20
"""Pairs below which no temperature is fitted."""
WIDEST = 1000.0
"""Log-likelihoods of whole answers are nats by the hundred."""
EDGE = 1e-9


class Evidence(NamedTuple):
    """One judgement, and one verdict code for each person who judged the same answers; nobody, often."""

    judgement: Judgement
    people: tuple[int, ...] = ()


def labelled(evidence: Sequence[Evidence]) -> list[Labelled]:
    """Return the rows on which people said something, as codes."""
    codes = {"a": 0, "b": 1, "tie": 2}
    return [Labelled(e.judgement.comparison.prompt.opening, codes.get(e.judgement.verdict), e.people)
            for e in evidence if e.people]  # fmt: skip


def calibration(evidence: Sequence[Evidence], draws: int, seed: int) -> dict[str, Any]:
    """Return log-loss, Brier score and expected calibration error of p_a against people; ten bins of equal mass.

    `ece_noise` is the error that honest probabilities would show on as many pairs. The label of a pair is the share of
    its people who say a.
    """
    rows = [e for e in evidence if e.people and e.judgement.p_a is not None]
    if not rows:
        return {"log_loss": None, "brier": None, "ece": None, "ece_noise": None, "reliability": []}
    logits, labels = [log_odds(e.judgement.p_a) for e in rows], [share_of_a(e) for e in rows]
    squares = [(e.judgement.comparison.prompt.opening, [((e.judgement.p_a or 0.0) - p) ** 2, 1.0])
               for e, p in zip(rows, labels, strict=True)]  # fmt: skip
    parts = grouped(squares)
    return {
        "log_loss": log_loss(logits, labels),
        "brier": of_sums(ratio(0, 1), parts, redraw(parts, draws, seed)),
        "ece": calibration_error(logits, labels),
        "ece_noise": calibration_noise(logits, 200, seed),
        "reliability": reliability(logits, labels),
    }


def scaled(evidence: Sequence[Evidence], seed: int) -> dict[str, Any]:
    """Fit a temperature on one half of the prompts and measure on the other what it does there (Guo et al. 2017).

    It divides the mean of both orders' log-odds. `temperature` is None where there are too few pairs to fit it or to
    see what it does; `edge` says that it lies at the end of what is tried, as it does for a judge that is at chance.
    """
    rows = [e for e in evidence if e.people and e.judgement.logit_ab is not None]
    halves: tuple[list[Evidence], list[Evidence]] = ([], [])
    for e in rows:
        halves[rng("temperature", seed, e.judgement.comparison.prompt.opening).random() < 0.5].append(e)
    kept, fitted = halves
    if min(map(len, halves)) < FEWEST:
        why = f"{len(fitted)} pairs to fit on and {len(kept)} to measure on; it takes {FEWEST} of each"
        return {"temperature": None, "why": why}
    found = temperature(*_numbers(fitted, 1.0), widest=WIDEST)
    return {
        "temperature": found,
        "edge": found > 0.99 * WIDEST or found < 0.126,
        "fitted_on": {"pairs": len(fitted), "prompts": len({e.judgement.comparison.prompt.opening for e in fitted})},
        "measured_on": {"pairs": len(kept), "prompts": len({e.judgement.comparison.prompt.opening for e in kept})},
        "before": _measures(kept, 1.0),
        "after": _measures(kept, found),
    }


def share_of_a(e: Evidence) -> float:
    """Return the share of people who say a, ties one half."""
    return mean(0.5 if code == TIE else float(code == A) for code in e.people)


def log_odds(p: float | None) -> float:
    """Return the log-odds of a probability, as far as a number can tell it from 0 or 1."""
    p = min(max(p or 0.0, EDGE), 1 - EDGE)
    return math.log(p / (1 - p))


def _numbers(rows: Sequence[Evidence], divisor: float) -> tuple[list[float], list[float]]:
    logits = []
    for j, _ in rows:
        ab = j.logit_ab or 0.0
        logits.append((ab if j.logit_ba is None else (ab + j.logit_ba) / 2) / divisor)
    return logits, [share_of_a(e) for e in rows]


def _measures(rows: Sequence[Evidence], divisor: float) -> dict[str, float]:
    logits, labels = _numbers(rows, divisor)
    return {
        "log_loss": log_loss(logits, labels), "brier": brier(logits, labels), "ece": calibration_error(logits, labels),
    }  # fmt: skip
