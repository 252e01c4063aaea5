"""Sections of the stages that make answers: constitution, prompts, first answers, and their revision."""

from pathlib import Path
from typing import Literal

from pydantic import field_serializer

from caif.content import Frozen
from caif.data import Share, Weight
from caif.sections.parts import Count, FilePath, ModelSpec, Part, Positive


class Law(Frozen):
    """The constitution file."""

    path: FilePath

    @field_serializer("path")
    def _named(self, path: Path) -> str:
        """Write the file's name alone: what it holds is stored, and a report need not say on whose machine it lay."""
        return path.name


class Prompts(Part):
    """Where the prompts come from, and which share of them is kept for evaluation alone."""

    hook = "caif_prompts"
    heldout: Share = 0.25


class Generate(Frozen):
    """Sample answers. `prompts` says for which: a comparison needs `samples` of two or more."""

    model: ModelSpec | None = None
    prompts: Literal["all", "train"] = "all"
    samples: Count = 1
    temperature: Weight = 1.0
    max_tokens: Count = 256
    system: str = ""


class Revise(Frozen):
    """Critique and revise first answers, `turns` times, another principle each turn (Bai et al. 2022, section 3.1).

    `may_end` lets the critic say that there is nothing to criticise, which ends the chain: switch it off where principles
    ask what could be added instead of what is wrong. Without `critique` answers are revised at once (figure 7 there).
    """

    model: ModelSpec
    turns: Count = 1
    temperature: Weight = 1.0
    critique_tokens: Count = 128
    max_tokens: Count = 256
    max_growth: Positive = 4.0
    principles: tuple[str, ...] = ()
    critique: bool = True
    may_end: bool = True
    examples: FilePath | None = None
    example_tokens: Count = 1024
    """How many tokens, as estimated, examples may take; those that do not fit are left out whole."""
