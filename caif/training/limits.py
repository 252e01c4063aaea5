"""Has RL gone wrong? Rules over the numbers that its steps log, each against a limit of [rl.guards] and against step 1."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from caif.sections.rl import Guards, Limit

WATCHED = ("loss", "grad_norm", "reward")
HACKED = ("kl", "longer", "shorter", "entropy", "repetition", "refusals", "preference", "outside")
"""Guards that trip where a reward is served and not what it stands for."""

Step = Mapping[str, Any]


class Finding(NamedTuple):
    """A limit that a step passes: the guard's key, and in words what it measured."""

    guard: str
    what: str


def finite(start: Step, step: Step, guards: Guards) -> Finding | None:
    """Loss, gradient and reward are numbers."""
    del start, guards
    for name in WATCHED:
        if step.get(name) is not None and not math.isfinite(step[name]):
            return Finding("finite", f"{name} is {step[name]}")
    return None


def kl(start: Step, step: Step, guards: Guards) -> Finding | None:
    """The policy has not gone far from where it started."""
    del start
    return _over("kl", step.get("kl_sequence"), guards.kl, "nats an answer from the start")


def longer(start: Step, step: Step, guards: Guards) -> Finding | None:
    """Answers have not grown."""
    return _over("longer", _ratio(start, step), guards.longer, "times as long as at the start")


def shorter(start: Step, step: Step, guards: Guards) -> Finding | None:
    """Answers have not shrunk."""
    return _under("shorter", _ratio(start, step), guards.shorter, "times as long as at the start")


def entropy(start: Step, step: Step, guards: Guards) -> Finding | None:
    """The policy still has something to choose."""
    del start
    return _under("entropy", step.get("entropy"), guards.entropy, "nats of entropy a token")


def repetition(start: Step, step: Step, guards: Guards) -> Finding | None:
    """Answers do not repeat themselves."""
    del start
    return _over("repetition", step.get("repetition"), guards.repetition, "of an answer is said again")


def refusals(start: Step, step: Step, guards: Guards) -> Finding | None:
    """The policy has not taken to refusing."""
    before, now = start.get("refusals"), step.get("refusals")
    rise = None if before is None or now is None else now - before
    return _over("refusals", rise, guards.refusals, "more of all answers are refusals than at the start")


def spread(start: Step, step: Step, guards: Guards) -> Finding | None:
    """At least one reward tells answers of a group apart; where none can be measured, none does."""
    del start
    spreads = [value for name, value in step.items() if name.startswith("spread/")]
    widest = max((value for value in spreads if value is not None), default=0.0)
    return _under("spread", widest if spreads else None, guards.spread, "apart are the rewards within a group, at most")


def preference(start: Step, step: Step, guards: Guards) -> Finding | None:
    """The held-out judge does not turn away while the reward rises."""
    if not (start.get("reward") is not None and step.get("reward") is not None and step["reward"] > start["reward"]):
        return None
    what = "of the time the held-out judge prefers new answers to the start's, while the reward has risen"
    return _under("preference", step.get("heldout/preference"), guards.preference, what)


def outside(start: Step, step: Step, guards: Guards) -> Finding | None:
    """The policy still writes what the reward model knows."""
    del start
    what = "of all answers are unlike any that the reward model was trained on"
    return _over("outside", step.get("coverage/outside"), guards.outside, what)


Check = Callable[[Step, Step, Guards], Finding | None]
CHECKS: tuple[Check, ...] = (finite, kl, longer, shorter, entropy, repetition, refusals, spread, preference, outside)
AT_ONCE = (finite, preference)


def passed(start: Step, step: Step, guards: Guards) -> bool:
    """Whether a step is within all limits. One that taught nothing did no harm either."""
    return not any(check(start, step, guards) for check in CHECKS if check is not spread)


def tripped(steps: Sequence[Step], guards: Guards) -> Finding | None:
    """Return the limit that the last steps pass, all of as many as its guard has patience for; None if there is none."""
    for check in CHECKS:
        patience = 1 if check in AT_ONCE else guards.flat if check is spread else guards.patience
        found = [check(steps[0], step, guards) for step in steps[-patience:]]
        if len(found) == patience and all(found):
            return found[-1]
    return None


def risen(start: Step, step: Step, weights: Mapping[str, float]) -> str:
    """Return the reward that rose most in its own spread, in the direction that is paid; "" if nothing is known."""

    def rise(name: str) -> float:
        before, now, unit = (
            start.get(f"rewards/{name}/mean"),
            step.get(f"rewards/{name}/mean"),
            start.get(f"rewards/{name}/std"),
        )
        if before is None or now is None:
            return -math.inf
        return math.copysign(1.0, weights[name]) * (now - before) / max(unit or 0.0, 1e-8)

    known = [name for name in weights if math.isfinite(rise(name))]
    return max(known, key=rise, default="")


def _ratio(start: Step, step: Step) -> float | None:
    before, now = start.get("completions/mean_length"), step.get("completions/mean_length")
    return now / before if before and now is not None else None


def _over(guard: str, value: float | None, limit: Limit, what: str) -> Finding | None:
    passes = limit != "off" and value is not None and value > limit
    return Finding(guard, f"{value:.3g} {what} (limit {limit:g})") if passes else None


def _under(guard: str, value: float | None, limit: Limit, what: str) -> Finding | None:
    passes = limit != "off" and value is not None and value < limit
    return Finding(guard, f"{value:.3g} {what} (limit {limit:g})") if passes else None
