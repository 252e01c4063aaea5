"""Whether the judges of a card passed what they were asked that is known, and why not; so a card says whose it is."""

from collections.abc import Iterable, Sequence
from typing import Any

from caif.data import Judgement, Tested
from caif.judge.selftest import Finding
from caif.judge.signs import SIGNS
from caif.report.gather import SourceRows


def of_sources(sources: Iterable[SourceRows]) -> dict[str, Any]:
    """Return how the judges of a run's sources did: those of every source that has judgements."""
    rows = []
    for source in sources:
        by_judge: dict[str, list[Tested]] = {}
        for test in source.tested:
            by_judge.setdefault(test.judge, []).append(test)
        for name in sorted({asked_as(j) for j in source.judgements}):
            if not any(known.startswith(name) for known in by_judge):
                by_judge[name] = []
        rows += [_row(name, source.label, tests) for name, tests in by_judge.items()]
    return _summed(rows)


def of_findings(found: Iterable[tuple[str, Sequence[Finding]]]) -> dict[str, Any]:
    """Return how a judge did that was asked for this card, by the name of each way it was asked."""
    return _summed([_row(name, "", findings) for name, findings in found])


def asked_as(j: Judgement) -> str:
    """Return a judgement's judge and how it was asked."""
    return f"{j.judge} by {j.method}"


def sentences(tests: dict[str, Any]) -> list[str]:
    """Return what to doubt of the judges, a sentence each."""
    said = []
    for row in tests["judges"]:
        who = f"{row['judge']}{f' ({source})' if (source := row['source']) else ''}"
        if row["failed"]:
            said.append(f"{who} fails {', '.join(one['check'] for one in row['failed'])}: {row['failed'][-1]['reason']}.")
        elif row["passed"] is None:
            said.append(f"{who} was not tested on known answers.")
    return said


def _row(judge: str, source: str, tests: Sequence[Tested | Finding]) -> dict[str, Any]:
    """Return one judge's outcome; `passed` is None where nobody asked it what is known and nothing is against it."""
    failed = [{"check": test.check, "reason": test.reason} for test in tests if not test.passed]
    asked = any(test.check not in SIGNS for test in tests)
    return {"judge": judge, "source": source, "passed": False if failed else True if asked else None, "failed": failed}


def _summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "failed": sum(row["passed"] is False for row in rows),
        "untested": sum(row["passed"] is None for row in rows),
        "judges": rows,
    }
