"""The cases of a constitution as unit tests of a judge: does it understand each principle as its author does?

A case passes if the judge, both orders taken together, prefers the better answer. A tie or "does not apply" fails: the
author says that the principle decides. What gave no verdict is counted by its kind, and is no pass either.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from caif.constitution import Case, Constitution, Principle
from caif.content import rng
from caif.data import FAILURES, Comparison, Judgement, Prompt
from caif.errors import CaifError
from caif.intervals import share
from caif.judge import Bench, judge_all
from caif.text import brief

Outcome = Literal["passed", "failed", "tie", "not_applicable", "no verdict"]
SHOWN = 160


class Tried(NamedTuple):
    """A case and what the judge said of it. `number` is its place among the principle's cases."""

    principle: Principle
    number: int
    case: Case
    judgement: Judgement

    @property
    def probability(self) -> float | None:
        """P(the better answer is better), or None without a verdict."""
        p_a = self.judgement.p_a
        return p_a if p_a is None or self.judgement.comparison.a == self.case.better else 1 - p_a

    @property
    def outcome(self) -> Outcome:
        """What became of the case."""
        verdict = self.judgement.verdict
        if verdict in FAILURES:
            return "no verdict"
        if verdict in ("tie", "not_applicable"):
            return verdict
        return "passed" if (verdict == "a") == (self.judgement.comparison.a == self.case.better) else "failed"


def try_all(bench: Bench, law: Constitution, names: Sequence[str] = ()) -> list[Tried]:
    """Have the judge judge every case of the named principles, or of all. Raises CaifError if there is no case."""
    some = [(p, n, case) for p in law.only(names).principles for n, case in enumerate(p.cases)]
    if not some:
        raise CaifError(f"{law.name}: no case to test", "write some: [[principles.cases]] with prompt, better, worse")
    judgements = judge_all(bench, [(_comparison(p, case), p) for p, _, case in some], "constitution test")
    return [Tried(*one, judgement) for one, judgement in zip(some, judgements, strict=True)]


def numbers(tried: Sequence[Tried], law: Constitution, names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the share of cases passed, overall and per principle, with Wilson intervals, and the cases not passed."""
    by = {p.id: [t for t in tried if t.principle.id == p.id] for p in law.only(names).principles}
    return {
        "constitution": law.name, "version": law.version, "digest": law.digest,
        "overall": _counted(tried),
        "principles": {name: _counted(some) for name, some in by.items() if some},
        "without_cases": [name for name, some in by.items() if not some],
        "not_passed": [_shown(t) for t in tried if t.outcome != "passed"],
    }  # fmt: skip


def _comparison(principle: Principle, case: Case) -> Comparison:
    """Show the answers in an order that says nothing about which is meant to be better."""
    one, other = sorted((case.better, case.worse))
    if rng("case", principle.id, case.prompt, one, other).random() < 0.5:
        one, other = other, one
    return Comparison(prompt=Prompt.of(case.prompt), a=one, b=other)


def _counted(tried: Sequence[Tried]) -> dict[str, Any]:
    outcomes = Counter(t.outcome for t in tried)
    kinds = Counter(t.judgement.verdict for t in tried if t.outcome == "no verdict")
    return {
        "pass_rate": share(outcomes["passed"], len(tried)),
        "cases": len(tried), "passed": outcomes["passed"], "failed": outcomes["failed"], "tie": outcomes["tie"],
        "not_applicable": outcomes["not_applicable"], "no_verdict": dict(kinds),
        "flipped": sum(bool(t.judgement.flipped) for t in tried),
    }  # fmt: skip


def _shown(t: Tried) -> dict[str, Any]:
    what = {"principle": t.principle.id, "case": t.number, "outcome": t.outcome, "probability": t.probability}
    what |= {"flipped": t.judgement.flipped, "reason": t.judgement.reason}
    return what | {name: brief(getattr(t.case, name), SHOWN) for name in ("prompt", "better", "worse")}
