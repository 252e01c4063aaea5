"""Sections of the other ways to a policy: from pairs, from thumbs, from the best of samples, from a judge's own scores."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from caif.content import Frozen
from caif.data import Share, Weight
from caif.sections.parts import Count, ModelSpec, Positive
from caif.sections.rl import Rl


class Dpo(Frozen):
    """Train the policy on the mixture's pairs themselves (DPO), each with its soft label and weight; recipe = "dpo".

    A pair whose label is p counts as won with p and as lost with 1 - p, so one that is a toss holds its answers together.
    After [sft] its adapter is trained on, so `rank` is for a policy without one.
    """

    model: ModelSpec
    weights: dict[str, Weight] = {}
    """By objective: what its pairs' own weights are multiplied by, 1 by default."""
    beta: Positive = 0.1
    """How dear it is to move away from where training starts."""
    rank: Count = 16
    epochs: Positive = 1.0
    learning_rate: Positive = 2e-5
    batch: Count = 8
    at_once: Count = 4
    """How many pairs of a batch are in memory at once."""
    max_length: Count = 1024


class Kto(Frozen):
    """Train the policy on the mixture's thumbs themselves (KTO); recipe = "kto".

    Ups and downs weigh the same together, or ups `balance` times as much, however many there are of either.
    After [sft] its adapter is trained on, so `rank` is for a policy without one.
    """

    model: ModelSpec
    weights: dict[str, Weight] = {}
    """By objective: what its thumbs' own weights are multiplied by, 1 by default."""
    balance: Annotated[float, Field(ge=1, le=1.5)] = 1.0
    beta: Positive = 0.1
    rank: Count = 16
    epochs: Positive = 1.0
    learning_rate: Positive = 2e-5
    batch: Annotated[int, Field(ge=2)] = 8
    at_once: Annotated[int, Field(ge=2)] = 4
    """How many thumbs of a batch are in memory at once; a reference is estimated from them, so two at least."""
    max_length: Count = 1024


class Choose(Frozen):
    """Which of a prompt's answers [sft] learns in recipe = "rejection-sampling": the best by the heads' weighted sum."""

    weights: dict[str, Weight] = {}
    """By objective, 1 by default; heads are standardised first."""


class Rlaif(Frozen):
    """Who scores answers from 0 to 9 in recipe = "rlaif", which trains by [rl] on these scores and no reward model."""

    judge: ModelSpec
    min_mass: Share = 0.5
    """The least probability that the judge must put on digits at all; below it an answer has no score."""


class Direct(Frozen):
    """Both sections of direct RLAIF, as the one that its stage is told."""

    rl: Rl
    rlaif: Rlaif


class Soup(Frozen):
    """Policies trained by [rl] on one reward each, averaged by these weights; recipe = "soup".

    Name every reward that there is, those that are to have no share with 0.
    """

    weights: Annotated[dict[str, Weight], Field(min_length=2)]

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not sum(self.weights.values()):
            raise ValueError("weights: all are 0")
        return self
