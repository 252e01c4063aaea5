"""caif from Python: run a run file, with plugins written in the same script, and use what comes of it.

    done = caif.run_file("quickstart", plugins=[my_module])
    done.rows("combine", caif.Preference)      the rows of a stage
    done.dataset("combine")                    the same as a datasets.DatasetDict that TRL takes
    done.export("trl", "labels")               the same as files for another tool, with a card
    done.policy                                a folder that transformers loads
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from caif import config as run_files
from caif import plan, processes
from caif.check import problems
from caif.config import RunConfig
from caif.content import Row
from caif.errors import CaifError, nearest
from caif.plugins import load as load_plugins
from caif.record import REPORTS, STAGES, copy_report, note, stops_noted
from caif.run import Run, Tell
from caif.store import MANIFEST, Artifact

if TYPE_CHECKING:
    from datasets import DatasetDict

    from caif.exports.whole import Exported

R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class Results:
    """What a run has made: its own folder, and the artifacts by stage, in the order of the recipe."""

    folder: Path
    artifacts: Mapping[str, Artifact]
    made: tuple[str, ...] = ()
    """The stages that were made now; the others were found in the store."""

    def artifact(self, stage: str) -> Artifact:
        """Return what a stage has made; feedback sources go by their own names."""
        if stage not in self.artifacts:
            raise CaifError(f"there is no finished stage {stage!r} in {self.folder}", nearest(stage, self.artifacts))
        return self.artifacts[stage]

    def rows(self, stage: str, kind: type[R]) -> list[R]:
        """Return a stage's rows of one kind."""
        return self.artifact(stage).rows(kind)

    def dataset(self, stage: str = "combine", kind: str = "preference") -> "DatasetDict":
        """Return a stage's data set, `preference` or `unpaired`, in TRL's columns, with its splits."""
        folder = self.artifact(stage).folder / kind
        if not folder.is_dir():
            raise CaifError(f"{stage} has no data set {kind!r}", "combine has: preference, unpaired")
        from datasets import load_from_disk

        return load_from_disk(str(folder))

    def export(self, to: str, folder: Path | str, *, stage: str = "combine", **options: Any) -> "Exported":
        """Write a stage's labels for another training tool, with a card, as `caif export` does (`caif.exports.whole`)."""
        from caif.exports.whole import export

        return export(list(self.artifacts.values()), to, Path(folder), stage=stage, **options)

    @property
    def policy(self) -> Path:
        """The folder of the policy that was trained, by [rl] or what a recipe has instead; transformers loads it (with peft)."""
        return self.artifact(next((name for name in ("soup", "dpo", "kto") if name in self.artifacts), "rl")).model

    @property
    def report(self) -> Path | None:
        """The report, if there is one."""
        page = self.folder / REPORTS[0]
        return page if page.is_file() else None


def run_file(
    file: Path | str | RunConfig,
    *,
    home: Path | str | None = None,
    overrides: Sequence[str] = (),
    plugins: Sequence[Any] = (),
    tell: Tell | None = None,
) -> Results:
    """Run a run file (or `quickstart`, or a RunConfig) and return what it made; what is made already is not made again.

    `plugins` are paths of single files, or modules and namespaces with functions marked `@caif.hookimpl`.
    """
    return go(prepare(file, home=home, overrides=overrides, plugins=plugins, tell=tell))


def load_run(folder: Path | str) -> Results:
    """Return what an earlier run has made, from its folder `HOME/runs/NAME`."""
    folder = Path(folder)
    listed = folder / STAGES
    if not listed.is_file():
        raise CaifError(f"{folder}: is no run's folder (no {STAGES})", "name HOME/runs/NAME")
    found: dict[str, Artifact] = {}
    for stage in json.loads(listed.read_text(encoding="utf-8")):
        place = folder.parent.parent / "store" / stage["folder"]
        if (place / MANIFEST).is_file():
            found[stage["stage"]] = Artifact(place, json.loads((place / MANIFEST).read_text(encoding="utf-8")))
    return Results(folder, found)


class _Reached(Exception):
    """The stage after which to stop is built."""


class Guided(Run):
    """A run that can stop after a stage."""

    until = ""

    def build(self, stage: Any, *inputs: Artifact | None, cfg: Any, name: str = "") -> Artifact | None:
        """Build the stage, and stop if it is the last one wanted."""
        artifact = super().build(stage, *inputs, cfg=cfg, name=name)
        if artifact is not None and artifact.stage == self.until:
            raise _Reached
        return artifact


def prepare(
    file: Path | str | RunConfig,
    *,
    home: Path | str | None = None,
    overrides: Sequence[str] = (),
    plugins: Sequence[Any] = (),
    tell: Tell | None = None,
) -> Guided:
    """Read the run file and load its plugins; nothing is made yet."""
    if isinstance(file, RunConfig) and overrides:
        raise CaifError("overrides are put over a run file, not over a RunConfig", "use config.model_copy(update=…)")
    config = file if isinstance(file, RunConfig) else run_files.read(file, overrides)
    base = Path.cwd() if isinstance(file, RunConfig) else run_files.locate(file).parent.resolve()
    files = [Path(given) for given in plugins if isinstance(given, (str, Path))]
    objects = [given for given in plugins if not isinstance(given, (str, Path))]
    loaded = load_plugins([*config.plugins, *files], [base / "plugins"], objects)
    if tell is None:
        from caif.terminal import Terminal

        tell = Terminal() if processes.first() else Tell()
    for complaint in loaded.complaints():
        tell.warn(complaint)
    loaded.manager.register(tell, "tell")  # it may observe stages too
    return Guided(config, Path(home or environ.get("CAIF_HOME") or "caif-home"), loaded, base, tell)


def go(run: Guided, until: str = "") -> Results:
    """Check what can be known beforehand, then build the recipe's stages, up to `until` if it is named."""
    planned = plan.steps(run)
    run.until = _target(until, planned)
    with run.locked(), _settled(run):
        _refuse_problems(run, planned)  # by every process: whoever reads a trainer's options waits for the others there
        if processes.first():
            note(run, planned)
        try:
            with stops_noted(run):
                plan.recipe_of(run.config, run.plugins)(run)
        except _Reached:  # no failure: the stage that `until` names is built, and there is nothing more to do
            pass
        if processes.first():
            copy_report(run)
    return Results(run.folder, {artifact.stage: artifact for artifact in run.built}, tuple(run.made))


def _refuse_problems(run: Guided, planned: Sequence[plan.Step]) -> None:
    """Refuse what can be known to be wrong."""
    if (coming := _coming(planned, run.until)) and (found := problems(run, coming)):
        more = f" (and {len(found) - 1} more: caif check)" if len(found) > 1 else ""
        raise CaifError(f"{found[0]}{more}")


@contextmanager
def _settled(run: Run) -> Iterator[None]:
    try:
        yield
    finally:
        run.tell.close()
        run.close()


def _target(until: str, planned: Sequence[plan.Step]) -> str:
    names = [step.name for step in planned]
    if until == "feedback" and (sources := [step.name for step in planned if step.by == "collect"]):
        return sources[-1]
    if until and until not in names:
        raise CaifError(f"--until: this run has no stage {until!r}", nearest(until, names))
    return until


def _coming(planned: Sequence[plan.Step], until: str) -> list[str]:
    """Return the stages that have to be made."""
    names = [step.name for step in planned]
    last = names.index(until) if until else len(names)
    return [step.name for step in planned[: last + 1] if step.state != "done"]
