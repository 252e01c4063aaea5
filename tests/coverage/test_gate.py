"""The gate: a bound is passed by a whole interval, what nobody knows is not a pass, and a fail stops RL with a remedy."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from caif.config import Coverage
from caif.coverage.gate import gate, judged, level, verdict
from caif.errors import FAILED, CaifError
from caif.intervals import share
from caif.sections.coverage import Bounds
from caif.store import Artifact


@pytest.mark.parametrize(
    ("hits", "n", "wanted"),
    [(4, 10, "pass"), (30, 100, "warn"), (10, 100, "pass"), (80, 100, "fail"), (52, 100, "warn")],
)
def test_a_bound_is_passed_by_the_whole_interval(hits: int, n: int, wanted: str) -> None:
    """Four of ten are more than a fifth, and may come of chance; thirty of a hundred are, and do not."""
    assert level(share(hits, n), Bounds(warn=0.2, fail=0.5)) == wanted  # type: ignore[arg-type]


def test_bounds_are_in_order_and_fail_can_be_off() -> None:
    """A fail below its warning is refused; without one a check can only warn."""
    with pytest.raises(ValidationError, match=r"fail 0.1 is below warn 0.2"):
        Bounds(warn=0.2, fail=0.1)
    assert level(share(100, 100), Bounds(warn=0.5)) == "warn"  # type: ignore[arg-type]


def test_the_verdict_is_the_worst_and_what_is_unknown_is_a_warning() -> None:
    """No share where there were too few texts: RL may begin, but not unsaid."""
    good = share(0, 100)
    fine = judged({"prompts": good, "written": good, "off_scale": good, "unasked": good}, Coverage())
    assert (len(fine), verdict(fine)) == (4, "pass")
    unknown = judged({"prompts": good, "unasked": good, "off_scale": good}, Coverage())
    assert verdict(unknown) == "warn"
    assert [(f.check, f.said) for f in unknown if f.level == "warn"] == [
        ("written", "there are too few texts to tell which part of the policy's answers are unlike any that the reward model was trained on")
    ]  # fmt: skip
    bad = judged({"prompts": share(90, 100), "written": good, "off_scale": good, "unasked": good}, Coverage())
    assert verdict(bad) == "fail"
    assert "90% of RL's prompts are unlike any" in bad[0].said


def artifact(**metrics: Any) -> Artifact:
    return Artifact(Path(), {"stage": "coverage", "metrics": metrics})


def test_a_fail_stops_rl_with_the_remedy_unless_told_otherwise() -> None:
    """Exit code 1, what was measured and what to do; nothing is stopped without the check, or before it was made."""
    findings = [f._asdict() for f in judged({"written": share(90, 100)}, Coverage())]
    with pytest.raises(
        CaifError, match=r'coverage: 90% of the policy.*label pairs of such.*coverage.on_fail = "warn"'
    ) as told:
        gate(artifact(verdict="fail", findings=findings, on_fail="stop"))
    assert told.value.code == FAILED
    gate(artifact(verdict="fail", findings=findings, on_fail="warn"))
    gate(artifact(verdict="warn", findings=findings, on_fail="stop"))
    gate(artifact())
    gate(None)
