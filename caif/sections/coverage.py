"""The section of the check before RL: how far from the reward model's data RL may begin."""

from typing import Literal, Self

from pydantic import model_validator

from caif.content import Frozen
from caif.data import Share, Weight
from caif.sections.parts import Count, ModelSpec


class Bounds(Frozen):
    """From which share on there is a warning, and from which on RL may not begin."""

    warn: Share
    fail: Share | Literal["off"] = "off"

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.fail != "off" and self.fail < self.warn:
            raise ValueError(f"fail {self.fail:g} is below warn {self.warn:g}")
        return self


class Coverage(Frozen):
    """Check before RL whether the reward model's data cover what RL asks and what the policy writes.

    A bound counts as passed where the whole interval of the share lies beyond it. Left out, nothing is checked.
    """

    model: ModelSpec | None = None
    """Where RL starts, if there is no [sft]."""
    answers: Count = 64
    """To how many prompts of RL the policy writes a new answer."""
    temperature: Weight = 1.0
    max_tokens: Count = 256
    most: Count = 2000
    """Texts of a kind that are looked at."""
    prompts: Bounds = Bounds(warn=0.2, fail=0.5)
    """Share of RL's prompts that are unlike the reward model's; `written`: of the policy's answers."""
    written: Bounds = Bounds(warn=0.2, fail=0.5)
    off_scale: Bounds = Bounds(warn=0.15, fail=0.5)
    """Share of the policy's answers with a reward that hardly any training answer has, in the worst head."""
    unasked: Bounds = Bounds(warn=0.5)
    """Share of the reward model's prompts that RL asks nothing like."""
    on_fail: Literal["stop", "warn"] = "stop"
