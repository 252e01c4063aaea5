"""What a run has made so far, read from the store, the ledger and the run's own folder; nothing is built or asked."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from caif.api import Results
from caif.config import QUICKSTART
from caif.errors import CaifError, nearest
from caif.estimates import Estimate, total
from caif.ledger import Ledger, Spent
from caif.models.account import opened
from caif.plan import Step
from caif.record import STAGES, STOPPED
from caif.run import Run
from caif.store import MANIFEST, Artifact, partial
from caif.text import brief

FIRST, WIDTH = 5, 60
"""How many rows of a table are shown, and how many characters of a field."""
EMPTY: tuple[Any, ...] = (None, "", [], ())
COLUMNS = {
    "completion": ("prompt", "text", "model", "finish"),
    "judgement": ("comparison", "verdict", "p_a", "principle", "judge", "reason"),
    "preference": ("prompt", "chosen", "rejected", "probability", "objective", "principle", "rater"),
    "prompt": ("messages", "tags", "source", "split"),
    "rating": ("prompt", "completion", "up", "objective", "rater", "reason"),
    "revision": ("prompt", "first", "turns", "final"),
    "tested": ("judge", "check", "passed", "reason"),
}
"""What a short table shows of the rows that hold more than a line does."""


class Line(NamedTuple):
    """One stage of a run: where it lies, whether it is done, and what the run has paid for it."""

    stage: str
    place: Path
    artifact: Artifact | None
    spent: Spent

    @property
    def state(self) -> str:
        """Whether the stage is made."""
        return "done" if self.artifact else "begun" if partial(self.place).is_dir() else "to do"

    @property
    def rows(self) -> int | None:
        """How many rows the artifact holds; None if it holds none."""
        tables = {file.stem for file in self.place.glob("*.parquet")}
        return sum(self.artifact.counts.get(name, 0) for name in tables) if self.artifact and tables else None


def find(name: str, home: Path) -> Path | None:
    """Return the run's folder that a name stands for: the folder itself, a run of the home, or a home with one run."""
    for folder in (Path(name), home / "runs" / name):
        if (folder / STAGES).is_file():
            return folder
    if Path(name).is_dir():
        runs = sorted(folder.parent.name for folder in Path(name).glob(f"runs/*/{STAGES}"))
        if len(runs) == 1:
            return Path(name) / "runs" / runs[0]
        remedy = f"name one of its runs: {', '.join(runs)}" if runs else "start one: caif run FILE"
        raise CaifError(f"{name}: is no run's folder", remedy)
    known = [folder.parent.name for folder in home.glob(f"runs/*/{STAGES}")]
    if known and not Path(name).suffix and name != QUICKSTART:
        raise CaifError(f"{name}: no such run in {home}", nearest(name, known))
    return None


def listed(folder: Path) -> list[tuple[str, Path]]:
    """Return the stages of a run's folder with where they lie."""
    store = folder.parent.parent / "store"
    return [(s["stage"], store / s["folder"]) for s in json.loads((folder / STAGES).read_text(encoding="utf-8"))]


def lines(stages: Sequence[tuple[str, Path]], home: Path, run: str = "") -> list[Line]:
    """Return one line a stage, with what the run, or without a name all runs of the home, have paid for it."""
    file = home / "ledger.db"
    spent: Mapping[str, Spent] = {}
    if file.is_file():
        ledger = Ledger(file)
        spent = ledger.spent(run)
        ledger.close()
    return [Line(name, place, _made(place), spent.get(name, Spent(0, 0, 0))) for name, place in stages]


def _made(place: Path) -> Artifact | None:
    manifest = place / MANIFEST
    return Artifact(place, json.loads(manifest.read_text(encoding="utf-8"))) if manifest.is_file() else None


def one(name: str, stages: Sequence[Line]) -> Line:
    """Return one stage's line."""
    for line in stages:
        if line.stage == name:
            return line
    raise CaifError(f"this run has no stage {name!r}", nearest(name, [line.stage for line in stages]))


def numbers(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Return nested numbers as lines of dotted names and values; lists that are long or of tables are only counted."""
    if isinstance(value, Mapping):
        return [pair for key, item in value.items() for pair in numbers(item, f"{path}.{key}" if path else str(key))]
    if isinstance(value, list) and (len(value) > 6 or any(isinstance(item, Mapping) for item in value)):
        return [(path, f"{len(value)} entries")]
    return [(path, f"{value:.4g}" if isinstance(value, float) else str(value))]


def first_rows(place: Path, limit: int) -> dict[str, list[dict[str, Any]]]:
    """Return the first rows of every table of an artifact, without reading the rest."""
    import pyarrow.parquet as pq

    found: dict[str, list[dict[str, Any]]] = {}
    for file in sorted(place.glob("*.parquet")):
        with pq.ParquetFile(file) as table:
            batch = next(table.iter_batches(batch_size=limit), None)
            found[file.stem] = batch.to_pylist() if batch is not None else []
    return found


def told(value: Any, length: int) -> str:
    """Return a row's field on one line: a prompt as its last message, a comparison as its parts."""
    if isinstance(value, dict) and "messages" in value:
        value = value["messages"][-1]["content"]
    elif isinstance(value, dict):
        parts = {key: item for key, item in value.items() if key != "id" and item not in EMPTY}
        value = "; ".join(f"{key}: {told(item, length // max(len(parts), 1))}" for key, item in parts.items())
    elif isinstance(value, list):
        value = " | ".join(told(item, length) for item in value)
    return brief(f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value), length)


def whole(value: Any) -> str:
    """Return all that a row's field holds: texts as they are, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)


def columns(name: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the fields of some rows that a short table shows: the telling ones, where they hold anything."""
    known = COLUMNS.get(name) or [key for key in rows[0] if key != "id"]
    return [key for key in known if any(row.get(key) not in EMPTY for row in rows)]


def print_run(title: str, stages: Sequence[Line], folder: Path | None = None) -> None:
    """Print the table of a run's stages, and where and why it stopped if it did, as at the end of its budget."""
    from caif.terminal import duration, line, table

    rows = [
        (s.stage, s.state, s.rows, duration(s.artifact.facts["seconds"]) if s.artifact else "", *(n or "" for n in s.spent))
        for s in stages
    ]
    columns = ("stage", "state", "#rows", "#time", "#calls", "#tokens in", "#tokens out")
    table(title, columns, rows, "Calls and tokens are those of all runs in this home folder.")
    if folder and (folder / STOPPED).is_file():
        line(f"Stopped: {(folder / STOPPED).read_text(encoding='utf-8').strip()}")


def print_plan(run: Run, planned: Sequence[Step], costs: Mapping[str, Estimate], named: Mapping[str, str]) -> None:
    """Print what every stage would cost, and the sum beside the budget and what is spent of it."""
    from caif.terminal import duration, line, table

    def cells(cost: Estimate) -> list[str]:
        time = "?" if cost.seconds is None else duration(cost.seconds) if cost.calls else ""
        numbers = ["?" if number is None else f"{number:,}" for number in cost[:3]]
        return [*numbers, "?" if cost.money is None else f"{cost.money:,.4g}", time]

    unknown = [name for name, cost in costs.items() if cost.calls is None]
    rows = [(s.name, s.state, *cells(costs[s.name]), named[s.name], s.artifact.folder.name) for s in planned]
    columns = ("stage", "state", "#calls at most", "#tokens in", "#tokens out", "#money", "#time", "model", "folder in store/")
    whole = total([cost for cost in costs.values() if cost.calls is not None])
    calls, into, out, money, time = cells(whole)
    rest = f"tokens in {into}, out {out}; money {money}; time of these calls {time or '0 s'}"
    table(run.config.name, columns, rows, f"Calls at most: {calls}{' and what plugins ask' if unknown else ''}. In all: {rest}.")
    if limits := run.config.budget.limits:
        spent = opened(run.config, run.ledger if (run.home / "ledger.db").is_file() else None).spent
        line(f"Budget: {', '.join(f'{n} {limit:,}' for n, limit in limits.items())}; this run has spent {spent}.")


def print_stage(found: Line, limit: int = FIRST, *, full: bool = False) -> None:
    """Print a stage's counts, numbers and first rows: a short table, or every field of each row."""
    from caif.terminal import line, table

    if found.artifact is None:
        raise CaifError(f"{found.stage} is not made yet ({found.state})", "run it: caif run FILE")
    counts = found.artifact.counts
    line(f"{found.artifact.folder}")
    for title, values in (("counts", counts), ("numbers", found.artifact.metrics)):
        if values:
            table(title, ("what", "value"), numbers(values))
    for name, rows in first_rows(found.artifact.folder, limit).items():
        if full:
            for n, row in enumerate(rows):
                table(f"{name} {n + 1}", ("field", "value"), [(key, whole(value)) for key, value in row.items()])
        elif rows:
            shown = columns(name, rows)
            cells = [[told(row[key], WIDTH) for key in shown] for row in rows]
            of = counts.get(name, len(rows))
            more = f"{len(rows)} of {of}; more with --limit, whole rows with --full" if of > len(rows) else "Whole rows: --full"
            table(name, shown, cells, more)


def print_results(done: Results, *, as_json: bool) -> None:
    """Print what a run has made just now: a table, or JSON for programs."""
    from caif.terminal import duration, line, table

    made, artifacts = set(done.made), done.artifacts.items()
    if as_json:
        stages = [
            {"stage": name, "key": a.key, "folder": str(a.folder), "reused": name not in made, "seconds": a.facts["seconds"],
             "counts": dict(a.counts)}
            for name, a in artifacts
        ]  # fmt: skip
        report = str(done.report) if done.report else None
        print(json.dumps({"run": done.folder.name, "folder": str(done.folder), "report": report, "stages": stages}))
        return
    rows = [(n, "made" if n in made else "found", duration(a.facts["seconds"]), a.folder.name) for n, a in artifacts]
    took = duration(sum(done.artifacts[name].facts["seconds"] for name in made))
    table("", ("stage", "", "#time", "folder in store/"), rows, f"This run took {took}." if made else "All was made before.")
    line(f"Report: {done.report}" if done.report else f"Results: {done.folder}")
