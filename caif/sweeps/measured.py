"""What a sweep found: each point's objectives over seeds, the front, and the volume it dominates, all with intervals."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from caif.errors import FAILED, CaifError
from caif.sweeps.front import front, hypervolume
from caif.sweeps.grid import Bound, Point, Trial
from caif.sweeps.seeds import Interval, iqm, stratified

HEAD = "reward: "
SPAN = 3.0
"""Rewards are put on a scale from 0 to 1: so many standard deviations below and above the mean of training answers."""


class Tried(NamedTuple):
    """A trial and what its evaluation said of each objective, from 0 to 1, and of each bound."""

    trial: Trial
    values: Mapping[str, float]
    kept: Sequence[Mapping[str, Any]] = ()


def kept(bounds: Mapping[str, Bound], metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each bound beside what the policy's answers to held-out prompts get, and whether the interval reaches it.

    The bound is one on the mean reward while training; held-out prompts are others, so their interval over prompts is
    what the bound has to lie in, or beyond. An objective that was not measured is left open, None.
    """
    rows = []
    for name, bound in bounds.items():
        measures = metrics.get("measures") or {}
        found = (measures.get(f"{HEAD}{name}") or measures.get(name) or {}).get("policy")
        row: dict[str, Any] = {"objective": name, **bound._asdict(), "said": f"{name} {bound.said}", "held": None}
        if found:
            reached = found["high"] >= bound.value if bound.way == "at_least" else found["low"] <= bound.value
            row |= {"held": reached, **{key: found[key] for key in ("mean", "low", "high")}}
        rows.append(row)
    return rows


def by_wins(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the policy's win rate by objective, {} if no judge was asked."""
    return {name: float(row["mean"]) for name, row in (metrics.get("wins") or {}).items() if "mean" in row}


def by_rewards(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return each head's mean on a fixed scale, from 0 to 1."""
    return {
        name.removeprefix(HEAD): min(max(table["policy"]["mean"], -SPAN), SPAN) / (2 * SPAN) + 0.5
        for name, table in (metrics.get("measures") or {}).items()
        if name.startswith(HEAD) and "policy" in table
    }


def table(tried: Sequence[Tried], measure: str, draws: int, seed: int) -> dict[str, Any]:
    """Return all that is told of a sweep. The reference of the volume is 0 in every objective, whatever was found.

    There are as many numbers as objectives, and no sum of them: what an objective is worth is for people to say.
    """
    objectives = [name for name in tried[0].values if all(name in one.values for one in tried)]
    if not objectives:
        raise CaifError("sweep: the runs have no objective in common that was measured", "add [evaluate]", code=FAILED)
    points: dict[str, list[list[float]]] = {}
    named: dict[str, Point] = {}
    for one in tried:
        named[one.trial.point.said] = one.trial.point
        points.setdefault(one.trial.point.said, []).append([one.values[name] for name in objectives])
    strata = list(points.values())
    centres = [_centre(rows) for rows in strata]
    best = front(centres)
    zero = [0.0] * len(objectives)
    volume = stratified(strata, lambda some: hypervolume([_centre(rows) for rows in some], zero), draws, seed)
    rows = []
    for n, (said, values) in enumerate(points.items()):
        others = [centre for m, centre in enumerate(centres) if m != n]
        rows.append({
            "point": said,
            "weights": dict(named[said].weights),
            "bounds": {name: bound._asdict() for name, bound in named[said].bounds.items()},
            "front": n in best,
            "seeds": len(values),
            "objectives": {name: _over_seeds(values, k, draws, seed) for k, name in enumerate(objectives)},
            "adds": hypervolume(centres, zero) - hypervolume(others, zero),
        })  # fmt: skip
    return {
        "measure": measure, "objectives": objectives, "points": rows,
        "hypervolume": {"reference": zero, **volume._asdict()},
        "runs": [{"point": t.trial.point.said, "seed": t.trial.seed, "run": t.trial.name, "values": dict(t.values),
                  "kept": list(t.kept)} for t in tried],
    }  # fmt: skip


def _centre(rows: Sequence[Sequence[float]]) -> list[float]:
    return [iqm(column) for column in zip(*rows, strict=True)]


def _over_seeds(values: Sequence[Sequence[float]], column: int, draws: int, seed: int) -> dict[str, float | None]:
    some: Interval = stratified([[row[column] for row in values]], lambda strata: iqm(strata[0]), draws, seed)
    return some._asdict()
