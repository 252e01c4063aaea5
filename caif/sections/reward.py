"""The section of the reward model."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from caif.content import Frozen
from caif.data import Weight
from caif.sections.parts import Count, ModelSpec, Positive, Whole

Flips = Annotated[float, Field(ge=0, lt=0.5)]


class Reward(Frozen):
    """Train one head per objective on a shared trunk. `rank` 0 leaves the trunk as it is and caches what it sees.

    Heads on a fixed trunk are solved, not trained; `epochs`, `learning_rate`, `batch` and `at_once` are for a trunk that
    is tuned too (`rank` above 0), which starts from those heads.
    """

    model: ModelSpec
    trainer: str = ""
    """A plugin's trainer to take this stage's place; the same in [rl]."""
    rank: Whole = 0
    decay: Weight | Literal["auto"] = "auto"
    """How much large head weights cost; "auto" takes what predicts prompts best that it was not fitted on."""
    centre: Weight = 0.01
    margin: Weight = 0.0
    """By how much log-odds the better answer of a pair is to win."""
    smoothing: Flips = 0.0
    """The share of pairs' labels that may be wrong: labels are drawn towards one half by it, and no gap runs away."""
    flips: Flips = 0.0
    """The share of pairs' labels known to be wrong: the loss is made the expected one of the right labels."""
    ensemble: Count = 1
    """How many heads an objective, each on prompts redrawn, where there are several; with a rank, each with an adapter of
    its own, which takes as many times as long.
    """
    together: Literal["cautious", "worst"] = "cautious"
    """An ensemble's score: mean - `caution` x variance of its members' scores, or the least of them."""
    caution: Weight = 0.5
    length_free: bool = False
    """Take from the scores what the length of an answer explains."""
    instructed: bool = False
    """Also a head that reads the principle: scores by the text of any principle, for `caif score --principle`."""
    gold: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of training conversations kept for a second model, which says when best-of-n by the first one stops
    paying, and RL by it."""
    max_length: Count = 1024
    epochs: Count = 1
    learning_rate: Positive = 1e-4
    batch: Count = 16
    at_once: Count = 4

    @model_validator(mode="after")
    def _of_some_alone(self) -> Self:
        if self.length_free and self.rank:
            raise ValueError("length_free is for heads on a fixed trunk: set rank to 0")
        if self.ensemble == 1 and (idle := sorted({"together", "caution"} & self.changed)):
            raise ValueError(f"{idle[0]} is for an ensemble: set ensemble to 2 or more, or leave it out")
        return self
