"""How RL went, from the logs of its steps: which keys they have depends on the trainer, so none is needed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from caif.report.estimate import finite
from caif.report.gather import Made

PANELS = (
    ("reward", "reward, all objectives together"),
    ("kl_sequence", "KL to the start, nats an answer"),
    ("kl", "KL to the start, nats a token"),
    ("completions/mean_length", "length of an answer, tokens"),
    ("completions/clipped_ratio", "answers cut off at the limit, share"),
    ("entropy", "entropy, nats a token"),
    ("refusals", "answers that refuse, share"),
    ("repetition", "repeated within an answer, share"),
    ("counted", "answers that were learnt from, share"),
    ("heldout/preference", "held-out judge: new answers preferred to the start’s, share"),
    ("coverage/outside", "answers unlike what the reward model knows, share"),
    ("coverage/distance", "distance to what it knows, as part of the limit"),
    ("coverage/off_scale", "answers with an unusual reward, share"),
    ("coverage/novelty", "runs of words that no labelled answer has, share"),
    ("beta", "weight of the KL, steered"),
    ("loss", "loss"),
    ("grad_norm", "gradient norm"),
)
_NAMED = re.compile(r"rewards/(.+)/mean$")
_WEIGHT = re.compile(r"weights/(.+)$")


def rl_numbers(made: Made) -> dict[str, Any] | None:
    """Return the series worth a plot, None if there was no RL."""
    if "rl" not in made.stages:
        return None
    artifact = made.stages["rl"]
    steps = [step for step in artifact.metrics.get("steps") or () if isinstance(step, Mapping)]
    keys = sorted({name for step in steps for name in map(str, step)})
    named = [(name, f"reward: {found[1]}") for name in keys if (found := _NAMED.match(name))]
    weighed = [(name, f"weight: {found[1]}") for name in keys if (found := _WEIGHT.match(name))]
    wanted = [PANELS[0], *named, *weighed, *PANELS[1:]]
    panels = [{"key": key, "label": label, "points": series(steps, key)} for key, label in wanted]
    return {
        "model": (artifact.facts["config"].get("model") or {}).get("use", ""),
        "steps": len(steps),
        "panels": [panel for panel in panels if panel["points"]],
        "constraints": [_constraint(str(name), end, steps) for name, end in _ended(artifact.metrics).items()],
        "tripped": dict(artifact.metrics.get("tripped") or {}),
        "weights": dict(artifact.metrics.get("rewards") or artifact.facts["config"].get("weights") or {}),
    }


def _ended(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = metrics.get("constraints")
    entries = found.items() if isinstance(found, Mapping) else ()
    return {name: end for name, end in entries if isinstance(end, Mapping) and finite(end.get("bound")) is not None}


def _constraint(name: str, end: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a constraint's trace: what it was about, step by step, and the multiplier that kept it."""
    return {
        "name": name,
        "way": str(end.get("way", "")),
        "bound": float(end["bound"]),
        "infeasible": bool(end.get("infeasible")),
        "means": series(steps, f"constraints/{name}/mean"),
        "multipliers": series(steps, f"constraints/{name}/multiplier"),
    }


def series(steps: Sequence[Mapping[str, Any]], key: str) -> list[list[float]]:
    """Return (step, value) for each step with a finite number under the key; a step without a number is its place."""
    points = []
    for n, step in enumerate(steps, 1):
        place, value = finite(step.get("step")), finite(step.get(key))
        if value is not None:
            points.append([float(n) if place is None else place, value])
    return points
