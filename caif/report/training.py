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
    ("loss", "loss"),
    ("grad_norm", "gradient norm"),
)
_NAMED = re.compile(r"rewards/(.+)/mean$")


def rl_numbers(made: Made) -> dict[str, Any] | None:
    """Return the series worth a plot, None if there was no RL."""
    if "rl" not in made.stages:
        return None
    artifact = made.stages["rl"]
    steps = [step for step in artifact.metrics.get("steps") or () if isinstance(step, Mapping)]
    named = sorted({name for step in steps for name in map(str, step) if _NAMED.match(name)})
    wanted = [PANELS[0], *((name, f"reward: {_NAMED.match(name)[1]}") for name in named), *PANELS[1:]]  # type: ignore[index]
    panels = [{"key": key, "label": label, "points": series(steps, key)} for key, label in wanted]
    return {
        "model": (artifact.facts["config"].get("model") or {}).get("use", ""),
        "steps": len(steps),
        "panels": [panel for panel in panels if panel["points"]],
        "weights": dict(artifact.metrics.get("rewards") or artifact.facts["config"].get("weights") or {}),
    }


def series(steps: Sequence[Mapping[str, Any]], key: str) -> list[list[float]]:
    """Return (step, value) for each step with a finite number under the key; a step without a number is its place."""
    points = []
    for n, step in enumerate(steps, 1):
        place, value = finite(step.get("step")), finite(step.get(key))
        if value is not None:
            points.append([float(n) if place is None else place, value])
    return points
