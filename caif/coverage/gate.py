"""May RL begin? Measured shares against the bounds of [coverage], and the refusal where one is passed too far."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from caif.errors import FAILED, CaifError
from caif.intervals import Estimate
from caif.sections.coverage import Bounds, Coverage
from caif.store import Artifact

Level = Literal["pass", "warn", "fail"]
LEVELS: tuple[Level, ...] = ("pass", "warn", "fail")

SAID = {
    "prompts": "of RL's prompts are unlike any that the reward model was trained on",
    "written": "of the policy's answers are unlike any that the reward model was trained on",
    "off_scale": "of the policy's answers have a reward that hardly any training answer has",
    "unasked": "of the reward model's prompts are unlike any that RL asks",
}
REMEDIES = {
    "prompts": "label answers to such prompts, or leave them out of RL",
    "written": "label pairs of such answers, and train the reward model again",
    "off_scale": "label pairs of such answers, and train the reward model again",
    "unasked": "add prompts of that kind to RL",
}


class Finding(NamedTuple):
    """One check: how it ended, what was measured, and what to do about it."""

    check: str
    level: Level
    said: str
    remedy: str


def judged(shares: Mapping[str, Estimate | None], cfg: Coverage) -> list[Finding]:
    """Return a finding for each check. One that could not be made is a warning: nobody knows is not a pass."""
    return [_finding(check, shares.get(check), getattr(cfg, check)) for check in SAID]


def _finding(check: str, measured: Estimate | None, bounds: Bounds) -> Finding:
    if measured is None:
        return Finding(check, "warn", "there are too few texts to tell which part " + SAID[check], "add rows")
    said = f"{measured['mean']:.0%} {SAID[check]} (95 % interval {measured['low']:.0%} to {measured['high']:.0%})"
    return Finding(check, level(measured, bounds), said, REMEDIES[check])


def level(measured: Estimate, bounds: Bounds) -> Level:
    """Return how far a share passes its bounds, with its whole interval."""
    if bounds.fail != "off" and measured["low"] > bounds.fail:
        return "fail"
    return "warn" if measured["low"] > bounds.warn else "pass"


def verdict(findings: Sequence[Finding]) -> Level:
    """Return the worst of all."""
    return max((finding.level for finding in findings), key=LEVELS.index, default="pass")


def gate(covered: Artifact | None) -> None:
    """Raise if RL may not begin.

    What was found is stored by then: it can be looked at, and is not measured again.
    """
    found: Mapping[str, Any] = covered.metrics if covered else {}
    if found.get("verdict") == "fail" and found["on_fail"] == "stop":
        worst = next(finding for finding in found["findings"] if finding["level"] == "fail")
        remedy = f'{worst["remedy"]} (caif show lists which), or coverage.on_fail = "warn"'
        raise CaifError(f"coverage: {worst['said']}", remedy, code=FAILED)
