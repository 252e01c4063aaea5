"""Models asked outside of a run: the ledger, the engine and the plugins of a home folder, with no run file.

What is asked here goes through the same ledger as a run's questions, so a command that was stopped goes on where it
was, and whatever a run has asked already is found.
"""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from caif.config import Exec, ModelSpec
from caif.data import Preference, Rating, Rejected
from caif.errors import CaifError, explain, nearest
from caif.holding import held
from caif.hookspecs import Answer, Model, Params, Question, Request
from caif.judge import METHODS, TIMES, Bench
from caif.ledger import Ledger
from caif.models.engine import Engine
from caif.plugins import Plugins, load
from caif.run import Models, Tell


@dataclass
class Desk:
    """The models of a home folder. `questions` counts what was asked of them, `paid` what the ledger did not hold."""

    engine: Engine
    models: Models
    plugins: Plugins
    questions: int = 0

    def __post_init__(self) -> None:
        self._before = self._calls()

    def model(self, named: str) -> Model:
        """Return a model by what a run file says of it: `embedded:1.5b`, or `{use = "openai:m", base_url = "…"}`."""
        return self.models(spec(named))

    def bench(self, judge: str, method: str = "logprobs", samples: int | None = None) -> Bench:
        """Return a judge at work. `samples` is how many answers an order it takes, for a method that samples."""
        if method not in METHODS:
            raise CaifError(f"there is no method {method!r} of judging", nearest(method, METHODS))
        if samples and method not in TIMES:
            raise CaifError(
                f"{method} takes no samples: it reads probabilities", f"leave the number out, or use {', '.join(TIMES)}"
            )
        return Bench(self.model(judge), self.ask, self.score, method, samples)

    def ask(self, model: Model, requests: Sequence[Request], params: Params) -> list[Answer]:
        """Ask a model, through the ledger."""
        self.questions += len(requests)
        return self.engine.ask(model, requests, params)

    def score(self, model: Model, questions: Sequence[Question]) -> list[Answer]:
        """Have a model score choices, through the ledger."""
        self.questions += len(questions)
        return self.engine.score(model, questions)

    def read(self, source: str, **options: Any) -> Iterable[Preference | Rating | Rejected]:
        """Return the rows of a feedback file that is named as FORMAT:PATH."""
        return read(self.plugins, source, **options)

    @property
    def paid(self) -> int:
        """How many answers were added to the ledger; the other questions had been answered before, or failed."""
        return self._calls() - self._before

    def _calls(self) -> int:
        return sum(spent.calls for spent in self.engine.ledger.spent().values())


def read(plugins: Plugins, source: str, **options: Any) -> Iterable[Preference | Rating | Rejected]:
    """Return the rows of a feedback file that is named as FORMAT:PATH."""
    name, colon, path = source.partition(":")
    if not colon or not path:
        raise CaifError(f"{source!r} is not FORMAT:PATH", "write for example hh-rlhf:pairs.jsonl")
    reader = plugins.make("caif_feedback_formats", name, options, Path())
    return reader(Path(path))  # type: ignore[no-any-return]


def spec(named: str) -> ModelSpec:
    """Return the model that a text on the command line names: a model string, or a TOML table in braces."""
    if not named.startswith("{"):
        return ModelSpec(use=named)
    try:
        return ModelSpec.model_validate(tomllib.loads(f"model = {named}")["model"])
    except tomllib.TOMLDecodeError:
        raise CaifError(
            f"{named!r} is no TOML table", """write {use = "openai:NAME", base_url = "http://…"}"""
        ) from None
    except ValidationError as error:
        raise explain(error, ModelSpec, named) from None


@contextmanager
def at(
    home: Path, stage: str, tell: Tell | None = None, *, objects: Sequence[Any] = (), settings: Exec | None = None
) -> Iterator[Desk]:
    """Hold a home folder and ask from there; `stage` is on whose account the calls go. Plugins are those beside us.

    Loaded weights are let go and the ledger is closed in the end.
    """
    tell = tell or Tell()
    plugins = load(folders=[Path("plugins")], objects=objects)
    for complaint in plugins.complaints():
        tell.warn(complaint)
    with held(home):
        ledger, models = Ledger(home / "ledger.db"), Models(plugins)

        def track(batches: Iterable[Sequence[int]], total: int, label: str) -> Iterable[Sequence[int]]:
            return tell.track(batches, total, label, len)

        try:
            yield Desk(Engine(ledger, settings or Exec(), stage, 0, track), models, plugins)
        finally:
            tell.close()
            models.release()
            ledger.close()
