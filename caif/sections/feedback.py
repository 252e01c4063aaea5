"""Sections of the feedback sources and of what puts them together."""

from typing import Literal

from caif.content import Frozen
from caif.data import Share, Weight
from caif.sections.parts import Count, Part, SafeName


class Source(Part):
    """One feedback source under a name; the name is what reports and weights call it."""

    hook = "caif_feedback_sources"
    name: SafeName | Literal[""] = ""

    @property
    def label(self) -> str:
        """The source's name on its rows."""
        return self.name or self.use


class Combine(Frozen):
    """Put sources together: weight and cap by source name, at most `per_prompt` pairs a prompt, split by prompt."""

    weights: dict[str, Weight] = {}
    caps: dict[str, Count] = {}
    per_prompt: Count = 16
    heldout: Share = 0.2
