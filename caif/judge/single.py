"""Methods that look at one answer at a time: there is no first place to like, and no order to average over.

Each gives the log-odds that answer a does better than answer b, from what was read of either alone; so identical answers
get exactly 0, and swapping the answers changes the sign and nothing else.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from caif.constitution import Check, Principle
from caif.data import Prompt
from caif.hookspecs import Answer, Question
from caif.judge import wording
from caif.judge.bench import FLOOR, Bench, Outcome, Reading, masses, spent, whole_strings_only
from caif.judge.pairs import Asked
from caif.judge.wording import DIGITS, YES_NO

IDLE = Reading(0, 0, "not_applicable")


class Item(NamedTuple):
    """One answer under one principle."""

    row: str
    prompt: Prompt
    answer: str
    principle: Principle


def by_yes(bench: Bench, asked: Asked) -> list[Outcome]:
    """Ask of each answer whether it is good. Given that just one is, the odds that it is a are those of a over those of b."""
    return _compared(approvals(bench, _items(asked)))


def approvals(bench: Bench, items: Sequence[Item]) -> list[Reading]:
    """Return the log-odds that each answer is a good one by its principle."""
    talks = [wording.single(i.prompt, i.answer, wording.good(i.principle)) for i in items]
    questions = [Question(i.row, t, YES_NO) for i, t in zip(items, talks, strict=True)]
    return [_yes(answer, bench.min_mass) for answer in (bench.score(bench.model, questions) if questions else [])]


def by_rubric(bench: Bench, asked: Asked) -> list[Outcome]:
    """Answer a principle's checks one by one for each answer, and compare the weighted means of their log-odds."""
    items = _items(asked)
    checks: list[tuple[Item, Check]] = [(item, check) for item in items for check in item.principle.checks]
    talks = [wording.single(i.prompt, i.answer, wording.checked(check)) for i, check in checks]
    questions = [Question(i.row, t, YES_NO) for (i, _), t in zip(checks, talks, strict=True)]
    readings = iter([_yes(answer, bench.min_mass) for answer in (bench.score(bench.model, questions) if questions else [])])
    return _compared([_weighed(item.principle, [next(readings) for _ in item.principle.checks]) for item in items])


def by_score(bench: Bench, asked: Asked) -> list[Outcome]:
    """Rate each answer from 0 to 9 (Lee et al. 2023, direct RLAIF), and take the odds that a's digit is above b's.

    Both digits are drawn from what the judge thinks of either answer alone, equal digits counting half for each.
    """
    rated = ratings(bench, _items(asked))
    outcomes: list[Outcome] = []
    for (one, p), (other, q) in zip(rated[::2], rated[1::2], strict=True):
        above = math.fsum(x * y for i, x in enumerate(p) for j, y in enumerate(q) if i > j)
        below = math.fsum(x * y for i, x in enumerate(p) for j, y in enumerate(q) if i < j)
        equal = math.fsum(x * y for x, y in zip(p, q, strict=True)) / 2
        logit = 0.0 if above == below else math.log(above + equal) - math.log(below + equal)
        outcomes.append((_both(one, other)._replace(logit=max(min(logit, -FLOOR), FLOOR)), None))
    return outcomes


def ratings(bench: Bench, items: Sequence[Item]) -> list[tuple[Reading, list[float]]]:
    """Return each answer's expected digit (as `logit`), and the probability of every digit given that it is one.

    "10" begins with "1" and is none of the digits: where whole replies are scored, what it has is taken from "1".
    """
    talks = [wording.single(i.prompt, i.answer, wording.rate(i.principle)) for i in items]
    choices = DIGITS if bench.model.first_token_only else (*DIGITS, "10")
    answers = bench.score(bench.model, [Question(i.row, t, choices) for i, t in zip(items, talks, strict=True)])
    found = []
    for answer in answers:
        values, failed = masses(answer, 0.0)
        shares = [math.exp(value) for value in values[: len(DIGITS)]] or [1.0] * len(DIGITS)
        if len(values) > len(DIGITS):
            shares[1] = max(shares[1] - math.exp(values[-1]), 0.0)
        mass = math.fsum(shares)
        if failed is None and mass < bench.min_mass:
            failed = Reading(0, mass, "invalid", f"mass {mass:.3f} on the digits")
        shares = [share / mass for share in shares] if mass > 0 else [1 / len(DIGITS)] * len(DIGITS)
        reading = failed or Reading(math.fsum(i * share for i, share in enumerate(shares)), mass)
        found.append((reading.paid([answer]), shares))
    return found


def by_likelihood(bench: Bench, asked: Asked) -> list[Outcome]:
    """Compare how much likelier either answer is under the principle than against it: nothing is asked of the judge.

    log p(answer | instruct) - log p(answer | oppose), in nats over the whole answer; the difference between the answers
    is the log-odds. It is far from calibrated, as every token adds to it: fit a temperature before its size is believed.
    """
    whole_strings_only(bench, 'method = "likelihood"')
    every = _items(asked)
    items = [item for item in every if item.principle.instruct]
    questions = [Question(i.row, i.prompt.under(i.principle.instruct), (i.answer,)) for i in items]
    questions += [Question(i.row, i.prompt.under(i.principle.oppose), (i.answer,)) for i in items]
    answers = bench.score(bench.model, questions) if questions else []
    found = {}
    for item, for_it, against in zip(items, answers[: len(items)], answers[len(items) :], strict=True):
        readings = []
        for answer in (for_it, against):
            failed = masses(answer, 0.0)[1]
            if failed is None and math.isinf(answer.logprobs[0]):
                failed = Reading(0, 0, "error", f"no log-probability of an answer: {answer.logprobs[0]}")
            readings.append((failed or Reading(answer.logprobs[0])).paid([answer]))
        found[item] = _both(*readings)
    return _compared([found.get(item, IDLE._replace(reason="the principle has no instruct")) for item in every])


def _items(asked: Asked) -> list[Item]:
    return [Item(c.id, c.prompt, answer, p) for c, p in asked for answer in (c.a, c.b)]


def _yes(answer: Answer, floor: float) -> Reading:
    values, failed = masses(answer, floor)
    reading = failed or Reading(values[0] - values[1], math.exp(values[0]) + math.exp(values[1]))
    return reading.paid([answer])


def _weighed(principle: Principle, readings: Sequence[Reading]) -> Reading:
    if not readings:
        return IDLE._replace(reason="the principle has no checks")
    cost = spent(readings)
    failed = next((reading for reading in readings if reading.verdict), None)
    if failed:
        return failed._replace(**cost)
    signed = [(c.weight, r.logit if c.wants == "yes" else -r.logit) for c, r in zip(principle.checks, readings, strict=True)]
    mean = math.fsum(weight * logit for weight, logit in signed) / math.fsum(weight for weight, _ in signed)
    return Reading(mean, min(reading.mass for reading in readings), **cost)


def _compared(readings: Sequence[Reading]) -> list[Outcome]:
    return [(_both(one, other), None) for one, other in zip(readings[::2], readings[1::2], strict=True)]


def _both(one: Reading, other: Reading) -> Reading:
    """Return the difference of two readings, or the first failure of the two."""
    cost = spent([one, other])
    for reading in (one, other):
        if reading.verdict:
            return reading._replace(**cost)
    return Reading(one.logit - other.logit, min(one.mass, other.mass), **cost)
