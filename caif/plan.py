"""What a run would do, before anything is asked: each stage's key, and whether it is made. What it costs: `estimates`.

A key depends on config and on the keys of inputs alone, never on what a stage wrote; so a recipe can be walked without
making anything.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from caif.config import TUNED, Generate, ModelSpec, Part, RunConfig
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
    """Return the recipe that the run file names, if the run file has the sections that the recipe needs."""
    recipes = plugins.factories("caif_recipes")
    if config.recipe not in recipes:
        broken = [f"{p.name}: {p.error}" for p in plugins.loaded if p.error]
        hint = f"a plugin could not be loaded: {broken[0]}" if broken else nearest(config.recipe, recipes)
        raise CaifError(f"there is no recipe {config.recipe!r}", hint)
    recipe = recipes[config.recipe]
    for section in getattr(recipe, "needs", ()):
        if not getattr(config, section):
            raise CaifError(f'recipe = "{config.recipe}" needs [{section}], which is left out', f"add [{section}]")
    return recipe


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
    flat = [item for value in values for item in (value if isinstance(value, (list, tuple)) else (value,))]
    return [item for item in flat if isinstance(item, ModelSpec)]
