"""Methods that show a judge both answers: the log-probability of an option, reasoning first, or votes."""

import math
import re
from collections.abc import Sequence

from caif.constitution import Principle
from caif.data import Comparison
from caif.hookspecs import Answer, Params, Question, Request
from caif.judge import wording
from caif.judge.bench import FLOOR, Bench, Outcome, Reading, failure, masses, spent, whole_strings_only
from caif.judge.wording import Talk

Asked = Sequence[tuple[Comparison, Principle]]

REASON_TOKENS, LETTER_TOKENS = 200, 8
_AGAINST = "~¬≠❌✗✘✖🚫👎\u0338\u20e0"
_LETTER = re.compile(
    rf"[^\w!{_AGAINST}]*(?:(?:the )?(?:better )?(?:answer|option|response)(?: is)?[^\w!{_AGAINST}]+)?"
    rf"\(?([ABC])\)?[^\w{_AGAINST}]*", re.IGNORECASE,
)  # fmt: skip
"""A letter and what may stand around it, but nothing that takes it back: ~~A~~ is A crossed out, and ¬A and ❌A are not A."""


def by_logprobs(bench: Bench, asked: Asked) -> list[Outcome]:
    """Read the options' log-probabilities as the next words of the judge, in both orders (Bai et al. 2022, 4.1)."""
    rows, talks = _both_orders(bench, asked, _ending(bench))
    return _halves(_scored(bench, rows, talks))


def by_reasoning(bench: Bench, asked: Asked) -> list[Outcome]:
    """Have the judge reason before it is read (Bai et al. 2022, 4.1, chain of thought); several rationales are averaged."""
    rows, talks = _both_orders(bench, asked, wording.REASON)
    params = Params(0.0 if bench.times == 1 else 1.0, REASON_TOKENS)
    requests = [Request(r, t, n) for r, t in zip(rows, talks, strict=True) for n in range(bench.times)]
    thoughts = bench.ask(bench.model, requests, params)
    live = [n for n, thought in enumerate(thoughts) if not thought.failed and thought.text]
    asks = [{"role": "user", "content": _ending(bench)}]
    then = [[*requests[n].messages, {"role": "assistant", "content": thoughts[n].text}, *asks] for n in live]
    readings = dict(zip(live, _scored(bench, [requests[n].row for n in live], then), strict=True))
    each = [_after(thought, readings.get(n)) for n, thought in enumerate(thoughts)]
    return _halves([_mean(each[n : n + bench.times]) for n in range(0, len(each), bench.times)])


def by_votes(bench: Bench, asked: Asked) -> list[Outcome]:
    """Count what the judge writes, several times an order: for models that give no log-probabilities."""
    rows, talks = _both_orders(bench, asked, _ending(bench))
    requests = [Request(r, t, n) for r, t in zip(rows, talks, strict=True) for n in range(bench.times)]
    answers = bench.ask(bench.model, requests, Params(1.0, LETTER_TOKENS))
    letters = wording.LETTERS[: 3 if bench.not_applicable else 2]
    return _halves([_count(answers[n : n + bench.times], letters) for n in range(0, len(answers), bench.times)])


def read_letter(text: str, letters: Sequence[str] = wording.LETTERS[:2]) -> str:
    """Return the letter if one of those that were offered is all a reply says, else "": "both" and "AB" are no verdicts."""
    found = _LETTER.fullmatch(text.strip())
    letter = found.group(1).upper() if found else ""
    return letter if letter in letters else ""


def _both_orders(bench: Bench, asked: Asked, ending: str) -> tuple[list[str], list[Talk]]:
    if bench.wording == "raw":
        whole_strings_only(bench, 'wording = "raw"')
    shown = [(c, p, c.a, c.b) for c, p in asked] + [(c, p, c.b, c.a) for c, p in asked]
    talks = [wording.pair(c.prompt, x, y, p, bench.wording, ending, bench.not_applicable) for c, p, x, y in shown]
    return [c.id for c, *_ in shown], talks


def _halves(readings: Sequence[Reading]) -> list[Outcome]:
    half = len(readings) // 2
    return list(zip(readings[:half], readings[half:], strict=True))


def _ending(bench: Bench) -> str:
    """Return how the question ends.

    Where whole strings can be scored it ends where the verdict begins: asked for a letter alone, the 1.5B judge's
    log-odds shrank to a fifth and its verdicts on known pairs got worse. Servers and votes need the letter.
    """
    letters = "A, B or C" if bench.not_applicable else "A or B"
    return wording.REPLY.format(letters=letters) if bench.letter_only else wording.COMPLETE


def _scored(bench: Bench, rows: Sequence[str], talks: Sequence[Talk]) -> list[Reading]:
    named = wording.RAW_OPTIONS if bench.wording == "raw" else wording.LETTERS if bench.letter_only else wording.OPTIONS
    options = named if bench.not_applicable else named[:2]
    answers = bench.score(bench.model, [Question(r, t, options) for r, t in zip(rows, talks, strict=True)])
    return [_read(answer, bench.min_mass).paid([answer]) for answer in answers]


def _read(answer: Answer, floor: float) -> Reading:
    values, failed = masses(answer, floor)
    if failed:
        return failed
    first, second, *rest = values
    idle = rest[0] - math.log(math.exp(first) + math.exp(second)) if rest else -math.inf
    return Reading(first - second, math.fsum(map(math.exp, values)), idle=idle)


def _after(thought: Answer, reading: Reading | None) -> Reading:
    if reading is None:
        reading = failure(thought) if thought.failed else Reading(0, 0, "invalid", "empty reply")
    return reading._replace(said=(thought.text,)).paid([thought])


def _mean(readings: Sequence[Reading]) -> Reading:
    """Return the mean of what several rationales led to; those that led to nothing are left out, unless all did."""
    good = [reading for reading in readings if reading.verdict is None] or readings[:1]
    mean = good[0]._replace(
        logit=sum(r.logit for r in good) / len(good), idle=sum(r.idle for r in good) / len(good),
        mass=min(r.mass for r in good), said=tuple(text for r in readings for text in r.said),
    )  # fmt: skip
    return mean._replace(**spent(readings))


def _count(answers: Sequence[Answer], offered: Sequence[str]) -> Reading:
    """Return the smoothed log-odds of the votes; unreadable votes are left out, and nothing readable is a failure."""
    said = tuple(answer.text for answer in answers)
    letters = [read_letter(answer.text, offered) for answer in answers if not answer.failed]
    first, second, idle = (letters.count(letter) for letter in wording.LETTERS)
    if first + second + idle == 0:
        failed = next((failure(answer) for answer in answers if answer.failed), None)
        return (failed or Reading(0, 0, "invalid", _unread(answers)))._replace(said=said).paid(answers)
    logit = math.log((first + 0.5) / (second + 0.5))
    odds = math.log((idle + 0.5) / (first + second + 0.5)) if idle else -math.inf
    return Reading(logit, (first + second + idle) / len(answers), idle=max(odds, FLOOR) if idle else odds, said=said).paid(answers)


def _unread(answers: Sequence[Answer]) -> str:
    if not any(answer.text.strip() for answer in answers):
        return "empty reply"
    return "cut off before a letter" if any(answer.finish == "length" for answer in answers) else "no vote says A or B"
