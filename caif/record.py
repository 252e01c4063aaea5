"""Write down what a run is, beside what it made, so that it can be shown and run again from there alone."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from caif import processes
from caif.config import Part, RunConfig
from caif.errors import STOPPED as STOPPED_CODE
from caif.errors import CaifError
from caif.plan import Step
from caif.plugins import Plugins
from caif.run import Run
from caif.store import write_text

STAGES, CONFIG, STOPPED, REPORTS = "stages.json", "run.json", "stopped.txt", ("report.html", "report.json")


def note(run: Run, planned: Sequence[Step]) -> None:
    """Write the run file as it was understood, and where each stage lies."""
    run.folder.mkdir(parents=True, exist_ok=True)
    for name in (*REPORTS, STOPPED):
        (run.folder / name).unlink(missing_ok=True)  # it is of the run before; this one's is put there at the end
    write_text(run.folder / CONFIG, json.dumps(resolved(run.config, run.plugins, run.base), indent=1, ensure_ascii=False))
    rows = [{"stage": s.name, "by": s.by, "key": s.artifact.key, "folder": s.artifact.folder.name} for s in planned]
    write_text(run.folder / STAGES, json.dumps(rows, indent=1, ensure_ascii=False))


@contextmanager
def stops_noted(run: Run) -> Iterator[None]:
    """Leave word in the run's folder of why a run stopped that can go on: its budget is spent, a server is silent."""
    try:
        yield
    except CaifError as error:
        if error.code == STOPPED_CODE and processes.first():
            write_text(run.folder / STOPPED, f"{error}\n")
        raise


def resolved(config: RunConfig, plugins: Plugins, base: Path) -> dict[str, Any]:
    """Return the run file with overrides, defaults and whole paths: a run file again, wherever it lies."""
    table = config.model_dump(mode="json")
    table["plugins"] = [one.origin for one in plugins.loaded if one.origin.endswith(".py")]

    def options(part: Part) -> dict[str, Any]:
        typed = plugins.typed(part.hook, part.use, part.options, base)
        return Part(use=part.use, options=typed).model_dump(mode="json")["options"]  # type: ignore[no-any-return]

    table["prompts"]["options"] = options(config.prompts)
    for written, source in zip(table["feedback"], config.feedback, strict=True):
        written["options"] = options(source)
    for name, reward in (config.rl.rewards if config.rl else {}).items():
        table["rl"]["rewards"][name]["options"] = options(reward)
    for name, metric in (config.evaluate.metrics if config.evaluate else {}).items():
        table["evaluate"]["metrics"][name]["options"] = options(metric)
    return table


def copy_report(run: Run) -> None:
    """Copy the report from the store into the run's folder."""
    for artifact in run.built:
        for name in REPORTS if artifact.by == "report" else ():
            if (made := artifact.folder / name).is_file():
                scratch = run.folder / f"{name}.tmp"
                shutil.copyfile(made, scratch)
                scratch.replace(run.folder / name)
