"""The sections of the run file: one frozen model a stage, named like the stage.

What can change a result belongs to a stage; what cannot (concurrency, budget) is in `limits.py` and never enters a key.
"""

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, ValidationInfo, model_validator

from caif.content import Frozen
from caif.data import Share, Weight
from caif.errors import explain

TUNED = "tuned"
"""The model that [sft] makes, where a feedback source asks for a model by name."""

_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def _no_device(name: str) -> str:
    if _DEVICE.match(name):
        raise ValueError(f"{name!r} is a device on Windows, so no folder can be called so")
    return name


SafeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"), AfterValidator(_no_device)]
"""A name that is safe as a folder's."""
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _beside_run_file(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base")
    return (base / path.expanduser()) if base else path


FilePath = Annotated[Path, AfterValidator(_beside_run_file)]
"""A path as written, taken from the run file's folder. In a key it stands for the content of the file."""


class ModelSpec(Frozen):
    """A model: `embedded:0.5b`, `hf:FOLDER`, `openai:NAME` with `base_url`, or any scheme a plugin brings."""

    use: str
    base_url: str = ""
    api_key_env: Annotated[str, StringConstraints(pattern=r"^([A-Z_][A-Z0-9_]*)?$")] = ""
    """The name of the variable that holds the key, in capitals as they are, so that a key itself is refused here."""
    revision: str = ""
    price_in: Weight | None = None
    """Price of a million tokens that the model reads, in any one currency; `price_out` of those it writes. 0 is free."""
    price_out: Weight | None = None


class Part(Frozen):
    """A part by name with its options, which are checked against the plugin's own signature. `hook` says of which kind."""

    hook: ClassVar[str] = ""
    use: SafeName
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _rest_are_options(cls, given: Any) -> Any:
        """Take every key that is not the part's own as an option of the part."""
        if isinstance(given, str):
            return {"use": given}
        if isinstance(given, dict) and "options" not in given:
            known = set(cls.model_fields) - {"options"}
            own = {key: value for key, value in given.items() if key in known}
            rest = {key: value for key, value in given.items() if key not in known}
            models = {key: _spec(key, rest[key]) for key in ("model", "judge") if isinstance(rest.get(key), dict)}
            return own | {"options": rest | models}
        return given


def _spec(key: str, table: dict[str, Any]) -> ModelSpec:
    try:
        return ModelSpec.model_validate(table)
    except ValidationError as error:
        raise ValueError(str(explain(error, ModelSpec, key))) from None


class Law(Frozen):
    """The constitution file."""

    path: FilePath


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


class PluginMetric(Part):
    """What a plugin counts in an answer."""

    hook = "caif_metrics"


class Evaluate(Frozen):
    """Compare tuned model and policy on held-out prompts."""

    model: ModelSpec | None = None
    """Where RL started, if there is no [sft]."""
    judge: ModelSpec | None = None
    samples: Count = 1
    temperature: Weight = 1.0
    max_tokens: Count = 256
    best_of: Count = 4
    metrics: dict[str, PluginMetric] = {}
    bootstrap: Count = 2000


class Report(Frozen):
    """The page. `examples` is for how many prompts the whole chain is shown."""

    title: str = ""
    examples: Count = 12
