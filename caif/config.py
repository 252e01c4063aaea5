"""The run file as a whole: read it, put overrides over it, name its models, refuse secrets in it.

A stage that is left out is `None` and is not run. Secrets are named by environment variable and never stored.
"""

import re
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from caif.content import Frozen
from caif.errors import CaifError, explain, nearest
from caif.files import load
from caif.limits import Budget, Exec
from caif.sections import (
    TUNED,
    Combine,
    Count,
    Coverage,
    Evaluate,
    FilePath,
    Generate,
    Law,
    ModelSpec,
    Part,
    Prompts,
    Report,
    Revise,
    Reward,
    Rl,
    SafeName,
    Sft,
    Share,
    Source,
    Weight,
)  # fmt: skip
from caif.sections.offline import Choose, Dpo, Kto, Rlaif, Soup

__all__ = [
    "TUNED", "Budget", "Combine", "Count", "Coverage", "Evaluate", "Exec", "FilePath", "Generate", "Law", "ModelSpec", "Part", "Prompts",
    "Report", "Revise", "Reward", "Rl", "RunConfig", "SafeName", "Sft", "Share", "Source", "Weight", "locate", "read",
]  # fmt: skip


TRAINS_POLICY = ("rl", "rloo", "dpo", "kto", "rlaif")
"""The stage functions that `policy_seed` is for."""
MAIN = "constitutional"
"""The recipe of a run file that names none."""


class RunConfig(Frozen):
    """A whole run. Stage sections left out are not run."""

    name: SafeName
    constitution: FilePath
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    policy_seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """A seed for the training of the policy alone, so that runs that differ in it share all before; `seed` by default."""
    recipe: str = MAIN
    plugins: tuple[FilePath, ...] = ()
    models: dict[SafeName, ModelSpec] = {}
    prompts: Prompts
    generate: Generate | None = None
    revise: Revise | None = None
    sft: Sft | None = None
    sample: Generate | None = None
    feedback: tuple[Source, ...] = ()
    combine: Combine | None = None
    reward: Reward | None = None
    coverage: Coverage | None = None
    rl: Rl | None = None
    dpo: Dpo | None = None
    kto: Kto | None = None
    choose: Choose | None = None
    rlaif: Rlaif | None = None
    soup: Soup | None = None
    evaluate: Evaluate | None = None
    report: Report | None = Report()
    exec: Exec = Exec()
    budget: Budget = Budget()

    @model_validator(mode="before")
    @classmethod
    def _name_models(cls, given: Any) -> Any:
        """Put the model itself where a stage names one of `[models]`, so that a key sees the model, not its name."""
        if not isinstance(given, dict):
            return given
        given = dict(given)
        if not isinstance(named := given.get("models", {}), dict):
            raise ValueError(f"models: must be a table of models by name, not {named!r:.80}")
        models = {name: {"use": model} if isinstance(model, str) else model for name, model in named.items()}
        given["models"] = models
        for stage, table in given.items():
            if stage == "feedback" and isinstance(table, (list, tuple)):
                given[stage] = [_named_in(source, models, f"feedback[{n}]") for n, source in enumerate(table)]
            elif isinstance(table, dict) and stage != "models":
                given[stage] = _named_in(table, models, stage)
        return given

    def seed_of(self, stage: str) -> int:
        """Return the seed of a stage function: the run's, or `policy_seed` where the policy is trained."""
        return self.seed if self.policy_seed is None or stage not in TRAINS_POLICY else self.policy_seed

    @property
    def law(self) -> Law:
        """The constitution as a stage's config."""
        return Law(path=self.constitution)

    @model_validator(mode="after")
    def _stages_have_what_they_need(self) -> "RunConfig":
        needs = [
            ("revise", "generate"), ("sft", "revise"), ("combine", "feedback"), ("reward", "combine"), ("coverage", "reward"),
            ("rl", "reward"), ("evaluate", "rl"),
        ]  # fmt: skip
        for stage, needed in needs:
            if getattr(self, stage) and not getattr(self, needed):
                if stage == "rl" and self.rl and self.rl.rewards:
                    continue
                if self.recipe != MAIN and stage in ("sft", "rl", "evaluate"):  # what these need there, recipes say themselves
                    continue
                raise ValueError(f"[{stage}] needs [{needed}], which is left out")
        if self.sample and not self.sft and not self.sample.model:
            raise ValueError("sample.model: without [sft] there is no tuned model, so a model must be named")
        if self.coverage and not self.sft and not self.coverage.model:
            raise ValueError("coverage.model: without [sft] there is no tuned model, so RL's must be named")
        if self.generate and not self.generate.model:
            raise ValueError("generate.model: is required and missing")
        labels = [source.label for source in self.feedback]
        if taken := set(labels) & set(type(self).model_fields):
            raise ValueError(f"feedback: {sorted(taken)[0]!r} is the name of a stage; give the source another name")
        if doubled := {label for label in labels if labels.count(label) > 1}:
            what = f"feedback: two sources are called {sorted(doubled)[0]!r}"
            raise ValueError(f'{what}; give one a name of its own: name = "…"')
        named = (self.combine.weights, self.combine.caps, self.combine.shares) if self.combine else ()
        for label in dict.fromkeys(chain.from_iterable(named)):
            if label not in labels:
                raise ValueError(f"combine: there is no feedback source {label!r}; {nearest(label, labels)}")
        return self


def _named_in(table: Any, models: dict[str, Any], where: str) -> Any:
    if not isinstance(table, dict):
        return table
    return {k: _named(v, models, f"{where}.{k}") if k in ("model", "judge") else v for k, v in table.items()}


def _named(value: Any, models: dict[str, Any], where: str) -> Any:
    if isinstance(value, (list, tuple)):
        return [_named(item, models, f"{where}[{n}]") for n, item in enumerate(value)]
    if not isinstance(value, str) or value == TUNED:
        return {"use": TUNED} if value == TUNED else value
    if value in models:
        return models[value]
    if ":" not in value:
        raise ValueError(f"{where}: no model {value!r} in [models]; {nearest(value, models)}")
    return {"use": value}


QUICKSTART = "quickstart"


def locate(path: Path | str) -> Path:
    """Return the run file's path; `quickstart` is the packaged one."""
    return Path(str(files("caif") / "quickstart" / "run.toml")) if str(path) == QUICKSTART else Path(path)


def read(path: Path | str, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a run file, or the packaged `quickstart`, with `key=value` overrides put over it.

    A path in the file starts at the file's folder, a path in an override at the current one.
    """
    file = locate(path)
    table = load(file)
    for override in overrides:
        _override(table, override)
    _refuse_secrets(table, str(file), "")
    try:
        return RunConfig.model_validate(table, context={"base": file.parent.resolve()})
    except ValidationError as error:
        raise explain(error, RunConfig, file) from None


_PATHS = ("constitution", "path", "examples")


def _override(table: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise CaifError(f"{override!r} is not an override", "write key=value, for example rl.steps=20")
    try:
        values = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        values = {}
    value = values["value"] if values.keys() == {"value"} else text  # a bare word is a text
    *path, last = key.split(".")
    if last in _PATHS and isinstance(value, str):
        value = str(Path.cwd() / Path(value).expanduser())
    elif key == "plugins" and isinstance(value, list):
        value = [str(Path.cwd() / Path(str(file)).expanduser()) for file in value]
    here: Any = table
    try:
        for name in path:
            here = here[int(name)] if isinstance(here, list) else here.setdefault(name, {})
        here[int(last) if isinstance(here, list) else last] = value
    except (ValueError, IndexError, TypeError, AttributeError):
        raise CaifError(f"{key}: there is no such key to override", "caif keys lists them") from None


_SECRET = re.compile(r"(^|[_-])(api[_-]?key|token|password|secret|authorization)$", re.IGNORECASE)
_LOOKS_SECRET = re.compile(r"://[^/\s]*:[^/\s]*@|\b(sk-[\w-]{20,}|(hf_|ghp_|AKIA)[A-Za-z0-9]{16,}|Bearer \S{16,})")


def _refuse_secrets(value: Any, where: str, key: str) -> None:
    """Refuse what is called like a secret or looks like one. The message shows where, never what."""
    if isinstance(value, str) and _LOOKS_SECRET.search(value):
        raise CaifError(f"{where}: {key}: looks like a key or password", "name its variable: api_key_env")
    if isinstance(value, dict):
        for name, item in value.items():
            path = f"{key}.{name}" if key else str(name)
            if _SECRET.search(str(name)) and isinstance(item, str):
                raise CaifError(
                    f"{where}: {path}: secrets do not belong in a run file", "name its variable: api_key_env"
                )
            _refuse_secrets(item, where, path)
    elif isinstance(value, list):
        for n, item in enumerate(value):
            _refuse_secrets(item, where, f"{key}[{n}]")
