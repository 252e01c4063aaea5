"""Sections of two stages that train: the tuned model and the reward model. The third, RL, has a file of its own."""

from typing import Annotated, Literal

from pydantic import Field

from caif.content import Frozen
from caif.data import Weight
from caif.sections.parts import Count, ModelSpec, Positive


class Sft(Frozen):
    """Tune the model on revisions (SL-CAI): all of a chain or the final one only."""

    model: ModelSpec
    targets: Literal["all", "final"] = "all"
    rank: Count = 16
    epochs: Positive = 1.0
    learning_rate: Positive = 2e-4
    batch: Count = 8
    at_once: Count = 4
    """How many rows of a batch are in memory at once."""
    max_length: Count = 1024


class Reward(Frozen):
    """Train one head per objective on a shared trunk. `rank` 0 leaves the trunk as it is and caches what it sees.

    Heads on a fixed trunk are a convex problem and are solved, not trained; `epochs`, `learning_rate`, `batch` and
    `at_once` are for a trunk that is tuned too (`rank` above 0), which starts from those heads.
    """

    model: ModelSpec
    trainer: str = ""
    """A plugin's trainer to take this stage's place; the same in [rl]."""
    rank: Annotated[int, Field(ge=0)] = 0
    decay: Weight | Literal["auto"] = "auto"
    """How much large head weights cost; "auto" takes what predicts prompts best that it was not fitted on."""
    centre: Weight = 0.01
    max_length: Count = 1024
    epochs: Count = 1
    learning_rate: Positive = 1e-4
    batch: Count = 16
    at_once: Count = 4
