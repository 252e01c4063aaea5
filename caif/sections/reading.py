"""Sections of the stages that measure and tell: evaluation and report."""

from caif.content import Frozen
from caif.data import Weight
from caif.sections.parts import Count, ModelSpec, Part, Whole


class PluginMetric(Part):
    """What a plugin counts in an answer."""

    hook = "caif_metrics"


class Evaluate(Frozen):
    """Compare tuned model and policy on held-out prompts, `samples` answers each: the judge sees all of them in pairs.

    Where no policy is trained, it sees the best of `best_of` answers beside the first.
    """

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
    """The page. `examples` is for how many prompts the whole chain is shown; with 0 it holds no text of the data at all."""

    title: str = ""
    examples: Whole = 12
