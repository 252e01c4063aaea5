"""One run: build stages in order, each at most once, and find again what is already made.

`Run.build` is the only machinery there is. It computes an artifact's key from the stage, its config and its inputs; if
the store has it, that is the result; if not, the stage function is called with a `Work`, and what it wrote is made final.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from pydantic import BaseModel

from caif import processes
from caif.config import ModelSpec, Part, RunConfig
from caif.content import Row
from caif.holding import held
from caif.hookspecs import Answer, Model, Params, Question, Request, StageEvent
from caif.ledger import Ledger
from caif.models import resolve
from caif.models.account import Account, opened
from caif.models.engine import Engine, Then
from caif.models.memory import give_back
from caif.options import content_digest
from caif.plugins import Plugins
from caif.store import Artifact, Draft, Store, key_of
from caif.versions import environment


class Stage(Protocol):
    """A stage function. `version` rises when the same config would give another result.

    A stage that trains, and can do so in several processes at once, has an attribute `together` that is true.
    """

    __name__: str
    version: int

    def __call__(self, work: "Work", *inputs: Artifact | None, cfg: Any) -> dict[str, Any]:
        """Write rows or a model into `work.draft`; return numbers worth keeping."""
        ...


class Tell:
    """How a run talks while it works; the command line shows more, a library or a test need not."""

    def say(self, text: str) -> None:
        """Say one line."""

    def warn(self, text: str) -> None:
        """Say one line that must not be missed."""

    def track(self, items: Iterable[Any], total: int | None, label: str, size: Callable[[Any], int]) -> Iterator[Any]:
        """Yield the items, showing progress; `size` is how many rows an item stands for, `total` their number if known."""
        del total, label, size
        yield from items

    def step(self, label: str, done: int, total: int, **numbers: float) -> None:
        """Say how far a training has come, with its latest numbers."""

    def close(self) -> None:
        """Put away what is shown while the run works."""


@dataclass(frozen=True)
class Work:
    """What a stage function works with."""

    stage: str
    draft: Draft
    seed: int
    engine: Engine
    plugins: Plugins
    models: "Models"
    tell: Tell
    base: Path

    def write(self, rows: Sequence[Row], kind: type[Row]) -> None:
        """Write all rows of one kind."""
        self.draft.write(rows, kind)

    def ask(self, model: Model, requests: Sequence[Request], params: Params) -> list[Answer]:
        """Ask a model, through the ledger."""
        return self.engine.ask(model, requests, params)

    def ask_on(
        self, model: Model, requests: Sequence[Request], params: Params, then: Then, after: Params
    ) -> tuple[list[Answer], list[Answer | None]]:
        """Ask a model, and of each answer what `then` makes of it, through the ledger."""
        return self.engine.ask_on(model, requests, params, then, after)

    def score(self, model: Model, questions: Sequence[Question]) -> list[Answer]:
        """Have a model score choices, through the ledger."""
        return self.engine.score(model, questions)

    def make(self, part: Part) -> Any:
        """Return a plugin's part as the run file asks for it."""
        return self.plugins.make(part.hook, part.use, part.options, self.base)


class Models:
    """The models of a run, loaded once and let go before training needs the memory."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins, self._held = plugins, {}  # type: ignore[var-annotated]

    def __call__(self, wanted: ModelSpec | Artifact) -> Model:
        """Return the model of a spec, or the one that a stage has trained."""
        if isinstance(wanted, Artifact):
            name = f"{wanted.stage}-{wanted.key[:16]}"
            return self._held.setdefault(name, resolve.local(str(wanted.model), name))  # type: ignore[no-any-return]
        name = wanted.model_dump_json()
        if name not in self._held:
            self._held[name] = resolve.resolve(wanted, self._plugins.factories("caif_chat_models"))
        return self._held[name]  # type: ignore[no-any-return]

    def release(self) -> None:
        """Let all loaded weights go."""
        for model in self._held.values():
            if hasattr(model.chat, "release"):
                model.chat.release()


@dataclass
class Run:
    """A run in a home folder: `store/` and `ledger.db` are shared by the runs there, `runs/NAME/` is its own."""

    config: RunConfig
    home: Path
    plugins: Plugins
    base: Path = Path()
    tell: Tell = field(default_factory=Tell)
    built: list[Artifact] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store(self.home / "store")
        self.models = Models(self.plugins)
        self._ledger: Ledger | None = None

    @property
    def folder(self) -> Path:
        """The run's own folder: its resolved run file, its report, and which artifacts it used."""
        return self.home / "runs" / self.config.name

    @property
    def ledger(self) -> Ledger:
        """The ledger of the home folder."""
        if self._ledger is None:
            self._ledger = Ledger(self.home / "ledger.db")
        return self._ledger

    @cached_property
    def account(self) -> Account:
        """What the run has cost so far and may still cost."""
        return opened(self.config, self.ledger)

    def close(self) -> None:
        """Close the ledger, if it was opened."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def build(self, stage: Stage, *inputs: Artifact | None, cfg: Any, name: str = "") -> Artifact | None:
        """Return the stage's artifact, from the store or newly made; None if the run file leaves the stage out."""
        if cfg is None:
            return None
        name = name or stage.__name__
        key = key_of(name, stage.version, self.identity(cfg), inputs, self.config.seed_of(stage.__name__))
        found = self.store.find(name, key)
        self._observe("caif_stage_started", StageEvent(run=self.config.name, stage=name, key=key, reused=bool(found)))
        started = time.monotonic()
        artifact = found or self._make(stage, inputs, cfg, name, key)
        self.built.append(artifact)
        event = StageEvent(
            run=self.config.name, stage=name, key=key, reused=bool(found),
            seconds=0.0 if found else time.monotonic() - started, counts=artifact.counts,
        )  # fmt: skip
        self._observe("caif_stage_finished", event)
        return artifact

    def _make(self, stage: Stage, inputs: Sequence[Artifact | None], cfg: Any, name: str, key: str) -> Artifact:
        if not processes.first():
            return self._help(stage, inputs, cfg, name, key)
        started = time.monotonic()
        work = self._work(stage, name, self.store.draft(name, key))
        draft, metrics = work.draft, stage(work, *inputs, cfg=cfg)
        self.made.append(name)
        facts = {
            "stage": name, "by": stage.__name__, "key": key, "version": stage.version, "seed": work.seed,
            "config": cfg.model_dump(mode="json"), "inputs": [i.key if i else None for i in inputs],
            "counts": draft.counts, "metrics": metrics, "seconds": round(time.monotonic() - started, 2),
            "environment": environment(),
        }  # fmt: skip
        give_back()
        return self.store.finish(draft, facts)

    def _help(self, stage: Stage, inputs: Sequence[Artifact | None], cfg: Any, name: str, key: str) -> Artifact:
        """Take part in a training as one of several processes, and return what the first one makes of it."""
        if getattr(stage, "together", False):
            with TemporaryDirectory() as folder:
                self._ledger = Ledger(Path(folder) / "ledger.db")  # the first process alone asks models
                stage(self._work(stage, name, self.store.scratch(name, key, Path(folder))), *inputs, cfg=cfg)
                self.close()
        return processes.awaited(lambda: self.store.find(name, key))

    def _work(self, stage: Stage, name: str, draft: Draft) -> Work:
        seed = self.config.seed_of(stage.__name__)
        engine = Engine(self.ledger, self.config.exec, name, seed, self._track, self.account)
        return Work(name, draft, seed, engine, self.plugins, self.models, self.tell, self.base)

    def identity(self, cfg: Any) -> object:
        """Return all in a stage's config that can change its result; a file stands for its content."""
        if isinstance(cfg, ModelSpec):
            return resolve.identity(cfg)
        if isinstance(cfg, Part):
            own = {n: self.identity(getattr(cfg, n)) for n in type(cfg).model_fields if n not in ("use", "options")}
            return [own, self.plugins.identity(cfg.hook, cfg.use, cfg.options, self.base)]
        if isinstance(cfg, BaseModel):
            return {name: self.identity(getattr(cfg, name)) for name in type(cfg).model_fields}
        if isinstance(cfg, Path):
            return content_digest(cfg)
        if isinstance(cfg, dict):
            return {key: self.identity(value) for key, value in cfg.items()}
        return [self.identity(item) for item in cfg] if isinstance(cfg, tuple) else cfg

    def _observe(self, hook: str, event: StageEvent) -> None:
        if not processes.first():
            return
        for implementation in getattr(self.plugins.manager.hook, hook).get_hookimpls():
            try:
                implementation.function(event)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - an observer cannot fail a run
                self.tell.warn(f"{implementation.plugin_name}: {hook}: {type(error).__name__}: {error}")

    def _track(self, batches: Iterable[Sequence[int]], total: int, label: str) -> Iterator[Sequence[int]]:
        return self.tell.track(batches, total, label, len)

    def locked(self) -> AbstractContextManager[None]:
        """Hold the home folder while the run works; of several processes of one run, the first does."""
        return held(self.home) if processes.first() else nullcontext()
