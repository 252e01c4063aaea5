"""The section of the tuned model. The other stages that train, the reward model and RL, have files of their own."""

from typing import Literal

from caif.content import Frozen
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
