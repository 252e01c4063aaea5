"""What the reward model learned: its numbers by objective, source and principle, whatever was kept of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from caif.intervals import share
from caif.report.estimate import finite, known
from caif.report.gather import Made

LOSSES = ("log_loss", "brier", "ece", "auroc")


def reward_numbers(made: Made) -> dict[str, Any] | None:
    """Return the reward model's numbers, None if there is none."""
    if "reward" not in made.stages:
        return None
    artifact = made.stages["reward"]
    metrics = artifact.metrics
    objectives = _table(metrics.get("objectives"))
    return {
        "model": _table(artifact.facts["config"].get("model")).get("use", ""),
        "overall": _rows({"all": metrics.get("overall")}),
        "objectives": _rows(objectives),
        "unmeasured": [str(name) for name, entry in objectives.items() if not quality(entry)],
        "sources": _rows(metrics.get("sources")),
        "reliability": list(_points(metrics.get("reliability"))),
        "heads": [_head(str(name), entry, _table(metrics.get("scale"))) for name, entry in objectives.items()],
        "people": [
            {"name": str(name), **one}
            for name, entry in _table(metrics.get("people_agree")).items()
            if (one := _rate(entry))
        ],
        "truncated": finite(metrics.get("truncated")),
        "card": metrics.get("card"),
        "pushed": made.stages["evaluate"].metrics.get("overoptimisation") if "evaluate" in made.stages else None,
        "along": made.stages["rl"].metrics.get("overoptimisation") if "rl" in made.stages else None,
    }


def quality(entry: object) -> dict[str, dict[str, Any]]:
    """Return accuracy (with its interval) and the losses of pairs and of thumbs; {} if nothing was held out.

    The measures of pairs stand in the entry itself, those of thumbs in a table under it.
    """
    table = _table(entry)
    kinds = {"pairs": table.get("pairs", table), "thumbs": table.get("thumbs")}
    return {kind: measured for kind, one in kinds.items() if (measured := _measured(_table(one)))}


def _measured(entry: Mapping[str, Any]) -> dict[str, Any]:
    n, accuracy = finite(entry.get("n")), known(entry.get("accuracy"))
    if not n or accuracy is None:
        return {}
    if accuracy["low"] is None:
        accuracy = share(accuracy["mean"] * n, int(n)) or accuracy
    return {"n": int(n), "accuracy": accuracy} | {name: finite(entry.get(name)) for name in LOSSES}


def _rows(tables: object) -> list[dict[str, Any]]:
    return [
        {"name": str(name), "kind": kind, **measured}
        for name, entry in _table(tables).items()
        for kind, measured in quality(entry).items()
    ]


def _head(name: str, entry: object, scales: Mapping[str, Any]) -> dict[str, Any]:
    """Return how one head was fitted: on how much, how its scores are spread, and what its log-odds are divided by."""
    table, scale = _table(entry), _table(scales.get(name))
    trained = {str(kind): n for kind, n in _table(table.get("trained_on")).items() if n}
    fitted = {key: finite(table.get(key)) for key in ("decay", "temperature")}
    return {
        "name": name,
        "trained_on": trained,
        **fitted,
        "mean": finite(scale.get("mean")),
        "std": finite(scale.get("std")),
    }


def _points(bins: object) -> Iterator[dict[str, Any]]:
    for entry in bins if isinstance(bins, (list, tuple)) else ():
        point = {name: finite(_table(entry).get(name)) for name in ("predicted", "observed", "n")}
        if None not in point.values() and point["n"]:
            yield point


def _rate(entry: object) -> dict[str, Any] | None:
    table = _table(entry)
    rate, n = finite(table.get("agreement")), finite(table.get("n"))
    return share(rate * n, int(n)) if rate is not None and n else known(entry)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
