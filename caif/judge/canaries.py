"""Known answers among the real rows: whether the judge is still the judge that passed the self-test.

Canaries stand at places drawn from the seed and are asked like any other row, so what befalls the real rows befalls
them: a server that changes its model, a prompt that is cut, answers that come back in another order.
"""

from collections.abc import Callable, Sequence
from typing import Any

from caif.constitution import Constitution, Principle
from caif.content import rng
from caif.data import FAILURES, Comparison, Judgement
from caif.errors import FAILED, CaifError
from caif.intervals import share
from caif.judge.probes import NULLS, Item, Probe, cases, cut, items, known, salad, steering
from caif.judge.selftest import SHARE

Asked = tuple[Comparison, Principle]


def canaries(law: Constitution, seed: int, n: int) -> list[Probe]:
    """Return `n` comparisons whose answer is known, in five kinds in turn; after all of them, the constitution's own cases.

    Bad answers, shuffled words, cut-off answers, answers that say nothing, and answers that tell the judge what to say;
    each on another question than the one before, so that what a judge makes of one text does not count for several.
    """
    some = items(seed)
    worse: dict[str, Callable[[Item], str]] = {
        "bad": lambda item: item.bad, "garbage": lambda item: salad(item, seed), "truncated": cut,
        "null": lambda item: NULLS[some.index(item) % len(NULLS)],
        "injected": lambda item: steering(item, some.index(item)),
    }  # fmt: skip
    kinds = [
        known(check, [some[(place * len(worse) + n) % len(some)] for place in range(len(some))], make, seed)
        for n, (check, make) in enumerate(worse.items())
    ]  # the number of questions is no multiple of that of kinds, so every kind comes to all of them
    mixed = [probe for several in zip(*kinds, strict=True) for probe in several]
    return [*mixed, *cases(law, seed, most=max(n - len(mixed), 0))][:n]


def mix(rows: Sequence[Asked], planted: Sequence[Probe], seed: int) -> list[Asked]:
    """Return the rows in their order with the canaries at places drawn from the seed."""
    taken = set(rng("canaries", seed, len(rows)).sample(range(len(rows) + len(planted)), len(planted)))
    real, extra = iter(rows), iter(planted)
    return [next(extra).asked if place in taken else next(real) for place in range(len(rows) + len(planted))]


def unmix(said: Sequence[Judgement], planted: Sequence[Probe], seed: int) -> tuple[list[Judgement], list[Judgement]]:
    """Return the judgements of the real rows, in their order, and those of the canaries, in theirs."""
    rows = len(said) - len(planted)
    taken = set(rng("canaries", seed, rows).sample(range(len(said)), len(planted)))
    return (
        [judgement for place, judgement in enumerate(said) if place not in taken],
        [judgement for place, judgement in enumerate(said) if place in taken],
    )


def canary_report(planted: Sequence[Probe], said: Sequence[Judgement]) -> dict[str, Any]:
    """Return how many canaries were judged right, as a share with its 95 % Wilson interval, and by kind.

    A tie or a failure is not right. `passed` says that the share may be two thirds or more: the interval reaches it.
    """
    pairs = list(zip(planted, said, strict=True))
    right = [(probe.check, j.verdict == probe.better) for probe, j in pairs if j.verdict != "not_applicable"]
    estimate = share(sum(ok for _, ok in right), len(right))
    return {
        "n": len(right),
        "accuracy": estimate,
        "kinds": {
            kind: {"right": sum(ok for k, ok in right if k == kind), "n": sum(k == kind for k, _ in right)}
            for kind, _ in right
        },
        "failures": sum(j.verdict in FAILURES for j in said),
        "passed": estimate is None or estimate["high"] >= SHARE,
    }


def stop_if_dead(report: dict[str, Any], source: str) -> None:
    """Stop where too many canaries were judged wrong for the judge to be the one it is taken for."""
    if not report["passed"]:
        got = report["accuracy"]
        span = f"{got['mean']:.0%} of {report['n']} known answers were judged right ({got['low']:.0%} to {got['high']:.0%})"
        remedy = "the judge does not do what it did in the self-test: look at its server, or use another judge"
        raise CaifError(f"{source}: {span}", remedy, code=FAILED)
