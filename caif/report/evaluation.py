"""What changed: every measure before and after, the wins by objective, and whether RL beat choosing the best of n."""

from collections.abc import Mapping
from typing import Any

from caif.data import FAILURES
from caif.intervals import Estimate, share
from caif.report.agreement import failures
from caif.report.estimate import finite, known
from caif.report.gather import Made

SIDES = ("base", "tuned", "policy", "best of n")
HEAD = "reward: "


def evaluation_numbers(made: Made) -> dict[str, Any] | None:
    """Return the evaluation's numbers, None if there was none."""
    if "evaluate" not in made.stages:
        return None
    metrics = made.stages["evaluate"].metrics
    measures = [measure(name, table) for name, table in sorted((metrics.get("measures") or {}).items(), key=_place)]
    best = metrics.get("best_of_n") or {}
    cut = [answer for answer in made.answers if answer.finish == "length"]
    return {
        "prompts": int(finite(metrics.get("prompts")) or 0),
        "judge": str(metrics.get("judge") or ""),
        "start": str(metrics.get("start") or ""),
        "start_name": str(metrics.get("started") or ("tuned" if "sft" in made.stages else "start")),
        "won_by": str(metrics.get("won_by") or "policy"),
        "measures": measures,
        "rewards": any(one["name"].startswith(HEAD) for one in measures),
        "wins": [_won(str(name), row) for name, row in (metrics.get("wins") or {}).items()],
        "failed": failures(made.verdicts, FAILURES),
        "judgements": len(made.verdicts),
        "kl": known(metrics.get("kl")),
        "best_of_n": {"n": finite(best.get("n")), "kl": finite(best.get("kl"))},
        "beaten": {
            m["name"].removeprefix(HEAD): gap for m in measures if m["name"].startswith(HEAD) and (gap := over_best(m))
        },
        "answers": len(made.answers),
        "cut": len(cut),
    }


def _place(named: tuple[str, Any]) -> tuple[int, str]:
    """Put what a program counts before words and refusals, and the reward model's own opinion last."""
    name, _ = named
    return (3 if name.startswith(HEAD) else 2 if name == "refusals" else 1 if name == "words" else 0), name


def measure(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return one measure's sides and differences, each with its interval, in the order of `SIDES`."""
    sides = [{"name": side, **estimate} for side in SIDES if (estimate := known(table.get(side)))]
    gaps = []
    for n, later in enumerate(SIDES):
        for earlier in reversed(SIDES[:n]):
            if estimate := known(table.get(f"{later} - {earlier}")):
                gaps.append({"later": later, "earlier": earlier, **estimate})
    return {"name": name, "unit": "%" if name == "refusals" else "", "sides": sides, "gaps": gaps}


def gap_of(measured: Mapping[str, Any], later: str, earlier: str) -> Estimate | None:
    """Return one difference of a measure, None if it was not measured."""
    return next((g for g in measured["gaps"] if (g["later"], g["earlier"]) == (later, earlier)), None)


def over_best(measured: Mapping[str, Any]) -> Estimate | None:
    """Return how far the policy is above the best of n, which is measured the other way round."""
    gap = gap_of(measured, "best of n", "policy")
    if gap is None:
        return None
    low, high = gap["high"], gap["low"]
    return {"mean": -gap["mean"], "low": _minus(low), "high": _minus(high), "n": gap["n"]}


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def _won(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    rate = known(row)
    if rate and rate["n"] and rate["low"] == rate["high"]:
        # All won or all lost: a bootstrap then redraws the same answer for ever and calls it certain.
        rate = share(rate["mean"] * rate["n"], rate["n"])
    return {
        "name": name,
        "rate": rate,
        "failed": int(finite(row.get("failed")) or 0),
        "flipped": int(finite(row.get("flipped")) or 0),
    }
