"""What was found before RL: whether the reward model's data cover what RL asks and what the policy writes."""

from collections.abc import Mapping, Sequence
from typing import Any

from caif.intervals import Estimate
from caif.report.gather import Made

SHARES = (
    ("prompts", "outside", "RL’s prompts that are unlike the reward model’s"),
    ("prompts", "beyond", "of these, by Mahalanobis’ relative distance"),
    ("prompts", "unasked", "the reward model’s prompts that RL asks nothing like"),
    ("written", "outside", "the policy’s answers that are unlike the labelled ones"),
    ("written", "beyond", "of these, by Mahalanobis’ relative distance"),
    ("written", "off_scale", "the policy’s answers with an unusual reward"),
)
TESTS = (("mmd", "maximum mean discrepancy"), ("c2st", "a classifier that tells both apart"))
SIDES = (("prompts", "prompts"), ("written", "answers"))


def coverage_numbers(made: Made) -> dict[str, Any] | None:
    """Return shares with intervals, tests with effect sizes, and what to label next; None if nothing was checked."""
    if "coverage" not in made.stages:
        return None
    metrics = made.stages["coverage"].metrics
    found: Mapping[str, Mapping[str, Any]] = {name: metrics.get(name) or {} for name, _ in SIDES}
    prompts, written = found["prompts"], found["written"]
    return {
        "verdict": str(metrics.get("verdict", "")),
        "findings": list(metrics.get("findings") or ()),
        "shares": _shares(found),
        "tests": [
            {"side": side, "name": label, "p": float(one["p"]), "effect": float(one["effect"])}
            for name, side in SIDES
            for test, label in TESTS
            if (one := found[name].get(test))
        ],
        "sizes": [
            {"side": side, **{key: int(found[name][key]) for key in ("reference", "asked", "known")}}
            for name, side in SIDES
            if found[name]
        ],
        "overlap": dict(prompts.get("overlap") or {}),
        "label": [*(prompts.get("unlabelled") or ()), *(written.get("unlabelled") or ())],
        "ask": list(prompts.get("asked_nothing_like") or ()),
    }


def _shares(found: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for side, key, label in SHARES:
        measured = found[side].get(key)
        heads: Sequence[tuple[str, Estimate | None]] = (
            [(f"{label} for {name}", one) for name, one in (measured or {}).items()]
            if key == "off_scale"
            else [(label, measured)]
        )
        rows += [{"label": name, "share": one} for name, one in heads if one]
    return rows
