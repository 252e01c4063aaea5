"""What a run would do, before anything is asked: each stage's key, whether it is made, and its model calls at most.

A key depends on config and on the keys of inputs alone, never on what a stage wrote; so a recipe can be walked without
making anything.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import comb
from typing import Any, Literal, NamedTuple

from caif.config import TUNED, Evaluate, Generate, ModelSpec, Part, Prompts, Revise, RunConfig, Source
from caif.constitution import read
from caif.data import Prompt, split_of
from caif.errors import CaifError, nearest
from caif.plugins import Plugins
from caif.run import Run
from caif.store import Artifact, partial

State = Literal["done", "begun", "to do"]


class Step(NamedTuple):
    """One stage of a run as planned. `artifact` is where it lies or will lie."""

    name: str
    by: str
    cfg: Any
    artifact: Artifact
    state: State


@dataclass
class Planner(Run):
    """A run that works keys out and makes nothing."""

    steps: list[Step] = field(default_factory=list)

    def _make(self, stage: Any, inputs: Any, cfg: Any, name: str, key: str) -> Artifact:
        del inputs
        place = self.store.place(name, key)
        facts = {"stage": name, "by": stage.__name__, "key": key, "counts": {}, "metrics": {}}
        begun = partial(place).is_dir()
        self.steps.append(Step(name, stage.__name__, cfg, Artifact(place, facts), "begun" if begun else "to do"))
        return self.steps[-1].artifact

    def build(self, stage: Any, *inputs: Artifact | None, cfg: Any, name: str = "") -> Artifact | None:
        """Note the stage and return its artifact, made or not."""
        before = len(self.steps)
        artifact = super().build(stage, *inputs, cfg=cfg, name=name)
        if artifact is not None and len(self.steps) == before:
            self.steps.append(Step(artifact.stage, artifact.by, cfg, artifact, "done"))
        return artifact

    def _observe(self, hook: str, event: Any) -> None:
        """Tell nobody: nothing happens."""


def recipe_of(config: RunConfig, plugins: Plugins) -> Callable[[Run], Any]:
    """Return the recipe that the run file names."""
    recipes = plugins.factories("caif_recipes")
    if config.recipe not in recipes:
        broken = [f"{p.name}: {p.error}" for p in plugins.loaded if p.error]
        hint = f"a plugin could not be loaded: {broken[0]}" if broken else nearest(config.recipe, recipes)
        raise CaifError(f"there is no recipe {config.recipe!r}", hint)
    return recipes[config.recipe]


def steps(run: Run) -> list[Step]:
    """Walk the run's recipe. A recipe that looks into an artifact that is not made yet is planned up to there."""
    planner = Planner(run.config, run.home, run.plugins, run.base)
    try:
        recipe_of(run.config, run.plugins)(planner)
    except OSError:
        if not planner.steps:
            raise
    return planner.steps


def models(run: Run, cfg: Any) -> list[ModelSpec]:
    """Return the models that a stage's config names, those in a part's options too."""
    values = [getattr(cfg, name) for name in type(cfg).model_fields]
    if isinstance(cfg, Part) and cfg.use in run.plugins.parts[cfg.hook]:
        values += run.plugins.typed(cfg.hook, cfg.use, cfg.options, run.base).values()
    if isinstance(cfg, Generate) and cfg.model is None:
        values.append(ModelSpec(use=TUNED))
    return [value for value in values if isinstance(value, ModelSpec)]


class Sizes(NamedTuple):
    """How many prompts there are, and how many answers to how many of them will be compared."""

    train: int
    heldout: int
    sampled: int
    samples: int


def calls(run: Run, planned: Sequence[Step]) -> dict[str, int | None]:
    """Return the model calls at most of every stage that is not made; None if only the stage itself knows."""
    sizes = _sizes(run, planned)
    objectives = len(read(run.config.constitution).objectives)
    return {step.name: 0 if step.state == "done" else _calls(step, sizes, objectives, run.plugins) for step in planned}


def _sizes(run: Run, planned: Sequence[Step]) -> Sizes:
    prompts: dict[str, Prompt] = {}
    step = next((step for step in planned if isinstance(step.cfg, Prompts)), None)
    if step and step.state == "done":
        prompts = {prompt.id: prompt for prompt in step.artifact.rows(Prompt)}
    elif step:
        source = run.plugins.make("caif_prompts", step.cfg.use, step.cfg.options, run.base)
        given = [row for row in source() if isinstance(row, Prompt)]
        splits = {row.id: split_of(row, step.cfg.heldout, run.config.seed) for row in given}
        prompts = {row.id: row.model_copy(update={"split": splits[row.id]}) for row in given}
    heldout = sum(prompt.split == "heldout" for prompt in prompts.values())
    sample = run.config.sample
    return Sizes(
        len(prompts) - heldout, heldout, _asked(sample, len(prompts), heldout) if sample else 0, sample.samples if sample else 0
    )


def _asked(cfg: Generate, prompts: int, heldout: int) -> int:
    return prompts if cfg.prompts == "all" else prompts - heldout


def _calls(step: Step, sizes: Sizes, objectives: int, plugins: Plugins) -> int | None:
    cfg = step.cfg
    if isinstance(cfg, Generate):
        return cfg.samples * _asked(cfg, sizes.train + sizes.heldout, sizes.heldout)
    if isinstance(cfg, Revise):
        return 2 * cfg.turns * sizes.train
    if isinstance(cfg, Source):
        return _source_calls(cfg, sizes, plugins)
    if isinstance(cfg, Evaluate):
        answers = sizes.heldout * (max(cfg.samples, cfg.best_of) + cfg.samples)
        kl = 2 * sizes.heldout * cfg.samples
        return answers + kl + (2 * sizes.heldout * objectives if cfg.judge else 0)
    known = ("constitution", "prompts", "sft", "combine", "reward", "rl", "report")
    return 0 if step.by in known else None


def _source_calls(cfg: Source, sizes: Sizes, plugins: Plugins) -> int | None:
    factory = plugins.factories("caif_feedback_sources")[cfg.use]
    options = {name: p.default for name, p in inspect.signature(factory).parameters.items()} | dict(cfg.options)
    if "path" in options and not options.get("judge"):
        return 0
    orders = 2 * _votes(options)

    def within(comparisons: int) -> int:
        return min(comparisons, options["limit"] or comparisons)

    estimates: dict[str, Callable[[], int]] = {
        "ai-labeler": lambda: orders * within(sizes.sampled * min(options["per_prompt"], comb(sizes.samples, 2))),
        "critique-revise": lambda: orders * within(sizes.train),
        "contrast": lambda: 2 * sizes.train * (2 if options["judge"] else 1),
    }
    return estimates[cfg.use]() if cfg.use in estimates else None


def _votes(options: Mapping[str, Any]) -> int:
    return int(options["votes"]) if options.get("method") == "votes" else 1
