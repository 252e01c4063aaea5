"""Sections of the stages that train: the tuned model, the reward model, the policy."""

from typing import Annotated, Literal

from pydantic import Field

from caif.content import Frozen
from caif.data import Weight
from caif.sections.parts import Count, ModelSpec, Part, Positive, SafeName


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


class PluginReward(Part):
    """A reward that a plugin brings to RL."""

    hook = "caif_rewards"


class Rl(Frozen):
    """GRPO against the heads and any rewards that plugins bring; `weights` by objective or reward name, default 1.

    A step updates the policy once. Each batch of `prompts_per_step` x `generations` answers serves `updates` steps.
    After [sft] its adapter is trained on, so `rank` is for a policy without one.
    """

    model: ModelSpec
    trainer: str = ""
    weights: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = {}
    rewards: dict[SafeName, PluginReward] = {}
    steps: Count = 100
    generations: Annotated[int, Field(ge=2)] = 8
    prompts_per_step: Count = 4
    at_once: Count = 8
    """How many answers are in memory at once when the policy is updated."""
    updates: Count = 1
    learning_rate: Positive = 1e-5
    beta: Positive = 0.04
    temperature: Positive = 1.0
    max_tokens: Count = 256
    rank: Count = 16
    aggregation: Literal["normalize_then_sum", "sum_then_normalize"] = "normalize_then_sum"
