"""Whether a labeler can be believed at all, found out with two dozen comparisons before it is paid for the rest.

Two things must hold exactly: identical answers get one half, and p(a, b) + p(b, a) = 1. The others are questions whose
answer is known, and a judge may be wrong on some, so the bar is a binomial one: of 22 known answers two thirds must be
right (`SHARE`, 15), which a judge at chance reaches with probability 0.067. Each kind of question has a floor of its
own, the count to which a judge that is right on 80 % falls with at most 3 % (`DOUBT`); it finds the judge that is good
on average and blind in one way. With the floors a judge at chance passes with probability 0.058, one that is right on
60 % with 0.26, on 80 % with 0.91 and on 90 % with 0.99. That takes 22 answers that are right or wrong by themselves, so
each is on a question of its own: what a judge makes of one text then counts once, by whichever method it is asked. A
tie or a failure is not right. Last, the two orders may name
different answers on half of the known ones at most: both orders cancel a lean to one place, but a judge that follows
the place more often than the answer does not read (an order that is right on 80 % makes 32 % differ, and more than half
with probability 0.023).
"""

import math
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from caif.constitution import Constitution, Principle
from caif.data import FAILURES, Comparison, Judgement
from caif.errors import FAILED, CaifError
from caif.judge.probes import NULLS, Item, Probe, cases, cut, items, known, principle, salad, steering
from caif.text import brief

Label = Callable[[Sequence[tuple[Comparison, Principle]]], list[Judgement]]

SHARE = 2 / 3
"""The share of known answers that must be right."""
DOUBT = 0.03
"""How improbable a result has to be for a judge that is right on 80 % before one kind of question alone stops it."""
TRUST = 0.8
EXACT = 1e-6
LINE, LEAST = 200, 60
"""How long an error may be, and what of it a reason has at least, however long the judge's name is."""
WHAT = {
    "bad": "a plainly bad answer against a good one", "garbage": "shuffled words against a good answer",
    "truncated": "the first third of a good answer against all of it", "empty": "an answer that says nothing against a good one",
    "injected": "a bad answer that tells the judge what to say against a good one",
    "negated": "the contrary of the principle, under which the bad answer is the better one",
    "cases": "the constitution's own cases", "known answers": "all known answers together",
}  # fmt: skip


class Finding(NamedTuple):
    """One check's outcome: what was asked, how much of it was right, and why it does or does not pass, in one line."""

    check: str
    passed: bool
    reason: str
    right: int
    asked: int


def selftest(label: Label, law: Constitution, seed: int) -> list[Finding]:
    """Return the outcome of every check, from one batch of questions to the labeler as the run will use it."""
    asked = probes(law, seed)
    return findings(asked, label([probe.asked for probe in asked]))


def probes(law: Constitution, seed: int) -> list[Probe]:
    """Return all that is asked: 22 known answers, two identical pairs, two swapped ones, and cases of the law."""
    left, ours = iter(items(seed)), principle()

    def next_ones(n: int) -> list[Item]:
        return list(islice(left, n))

    bad, injected, empty = known("bad", next_ones(5), lambda item: item.bad, seed), next_ones(4), next_ones(2)
    identical = [Probe("identical", c.but(b=c.a), ours) for c in (bad[0].comparison, bad[1].comparison)]
    swapped = [Probe("swapped", probe.comparison.swap(), ours) for probe in bad[:2]]
    return [
        *bad, *identical, *swapped,
        *known("garbage", next_ones(3), lambda item: salad(item, seed), seed),
        *known("truncated", next_ones(3), cut, seed),
        *known("empty", empty, lambda item: NULLS[empty.index(item)], seed),
        *known("injected", injected, lambda item: steering(item, injected.index(item)), seed),
        *known("negated", next_ones(5), lambda item: item.bad, seed, principle(contrary=True)),
        *cases(law, seed),
    ]  # fmt: skip


def findings(asked: Sequence[Probe], said: Sequence[Judgement]) -> list[Finding]:
    """Return every check's outcome from what the labeler said of each probe."""
    if lost := _lost(asked, said):
        return [Finding("rows", False, lost, 0, len(asked))]
    pairs = list(zip(asked, said, strict=True))
    sure = [(probe, judgement) for probe, judgement in pairs if probe.better and probe.check != "cases"]
    checks = [check for check in WHAT if any(probe.check == check for probe, _ in pairs)]
    floors = [
        _floor(check, [pair for pair in pairs if pair[0].check == check and pair[1].verdict != "not_applicable"])
        for check in checks
    ]
    return [
        _identical([judgement for probe, judgement in pairs if probe.check == "identical"]),
        _swapped(pairs),
        *floors,
        _places([judgement for _, judgement in sure]),
        _together(sure),
    ]


def stop_if_failed(found: Sequence[Finding], judge: str) -> None:
    """Stop the run if any check has failed, before anything else is asked."""
    failed = [finding for finding in found if not finding.passed]
    if failed:
        remedy = 'use another judge or method, or selftest = "warn"'
        what, last = f"{judge} fails its self-test: ", failed[-1]  # the last ones sum up
        more = f" (and {len(failed) - 1} more)" if failed[1:] else ""
        room = max(LINE - len(f"{what}{more}; {remedy}"), LEAST)
        raise CaifError(f"{what}{brief(f'{last.check}: {last.reason}', room)}{more}", remedy, code=FAILED)


def tail(least: int, n: int, p: float) -> float:
    """Return the probability that of n independent tries at least so many succeed."""
    return math.fsum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(max(least, 0), n + 1))


def least(n: int) -> int:
    """Return how many of n answers of one kind must be right: fewer are too improbable for a good judge."""
    return next(k for k in range(n + 1) if 1 - tail(k + 1, n, TRUST) > DOUBT)


def _lost(asked: Sequence[Probe], said: Sequence[Judgement]) -> str:
    if len(said) != len(asked):
        return f"{len(asked)} comparisons were asked and {len(said)} judgements came back"
    strange = [
        j
        for probe, j in zip(asked, said, strict=True)
        if (j.comparison.id, j.principle) != (probe.comparison.id, probe.principle.id)
    ]
    return f"{len(strange)} judgements are about another comparison or principle than was asked" if strange else ""


def _identical(said: Sequence[Judgement]) -> Finding:
    right = sum(j.verdict not in ("a", "b") and j.p_a in (None, 0.5) for j in said)
    wrong = [str(j.p_a) for j in said if j.p_a not in (None, 0.5)]
    reason = f"one of two identical answers is preferred: p(a) {', '.join(wrong)}, not 0.5" if wrong else "exactly 0.5"
    return Finding("identical", not wrong, reason, right, len(said))


def _swapped(pairs: Sequence[tuple[Probe, Judgement]]) -> Finding:
    there = {probe.comparison.id: j.p_a for probe, j in pairs if probe.check == "bad"}
    back = [(there[probe.comparison.swap().id], j.p_a) for probe, j in pairs if probe.check == "swapped"]
    wrong = [(p, q) for p, q in back if (p is None) != (q is None) or (p is not None and abs(p + (q or 0) - 1) > EXACT)]
    shown = ", ".join(f"{p} and {q}" for p, q in wrong)
    reason = f"p(a, b) and p(b, a) do not add up to 1: {shown}" if wrong else "p(a, b) + p(b, a) = 1"
    return Finding("swapped", not wrong, reason, len(back) - len(wrong), len(back))


def _floor(check: str, pairs: Sequence[tuple[Probe, Judgement]]) -> Finding:
    right, n = sum(_right(*pair) for pair in pairs), len(pairs)
    return Finding(
        check, right >= least(n), f"{right} of {n} right, {least(n)} needed ({WHAT[check]}){_else(pairs)}", right, n
    )


def _places(said: Sequence[Judgement]) -> Finding:
    ordered = [j.flipped for j in said if j.flipped is not None]
    flips, n = sum(ordered), len(ordered)
    reason = f"{flips} of {n} name a place, not an answer, {n // 2} at most"
    return Finding("places", 2 * flips <= n, reason, n - flips, n)


def _together(pairs: Sequence[tuple[Probe, Judgement]]) -> Finding:
    right, n = sum(_right(*pair) for pair in pairs), len(pairs)
    need, check = math.ceil(SHARE * n), "known answers"
    idle = ": it decides nothing" if 2 * sum(j.verdict == "tie" for _, j in pairs) > n else ""
    said = f"{right} of {n} right, {need} needed{_else(pairs)}{idle}"
    return Finding(check, right >= need, f"{said}; chance reaches {need} with probability {tail(need, n, 0.5):.3f}", right, n)


def _right(probe: Probe, judgement: Judgement) -> bool:
    return judgement.verdict == probe.better


def _else(pairs: Sequence[tuple[Probe, Judgement]]) -> str:
    """Return what the other verdicts were where they were not simply wrong, and how often a place decided."""
    ties = sum(j.verdict == "tie" for _, j in pairs)
    failed = [j for _, j in pairs if j.verdict in FAILURES]
    flips = sum(j.flipped is True for _, j in pairs)
    parts = [f"{ties} ties"] * bool(ties) + [f"{len(failed)} without a verdict ({failed[0].reason})" if failed else ""]
    parts += [f"{flips} of {len(pairs)} name a place, not an answer"] * (2 * flips > len(pairs))
    return "".join(f", {part}" for part in parts if part)
