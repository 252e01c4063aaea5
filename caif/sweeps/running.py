"""Run a sweep: every trial is a run of its own over the same store, so what comes before the policy is made once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from caif.api import Guided, Results, go, prepare
from caif.errors import CaifError
from caif.run import Tell
from caif.store import write_text
from caif.sweeps.grid import Point, Trial, trials
from caif.sweeps.measured import Tried, by_rewards, by_wins, kept, table
from caif.sweeps.page import page


class Swept(NamedTuple):
    """The sweep's page and what is on it."""

    page: Path
    table: dict[str, Any]


class Attempt(Guided):
    """A run of a sweep. It goes by the run file's name, under which all of them together spend one budget."""

    trial: Trial

    @property
    def folder(self) -> Path:
        """Its own folder, beside the run's."""
        return self.home / "runs" / f"{self.config.name}-{self.trial.name}"


def sweep(
    file: Path | str, points: Sequence[Point], seeds: int, *, home: Path, overrides: Sequence[str] = (),
    tell: Tell | None = None,
) -> Swept:  # fmt: skip
    """Run all, and write page and numbers into HOME/sweeps. Stopped, it goes on where it was: what is made is found again."""
    first = prepare(file, home=home, overrides=overrides, tell=tell)
    if first.config.evaluate is None:
        raise CaifError("sweep: [evaluate] is left out, and says what the policies are worth", "add [evaluate]")
    wanted = trials(points, first.config.seed_of("rl"), seeds)
    runs = [_attempt(file, trial, first, overrides) for trial in wanted]  # all are read before one is made
    tried, measures = [], []
    for n, (trial, run) in enumerate(zip(wanted, runs, strict=True), 1):
        first.tell.say(f"sweep: {n} of {len(wanted)}: {trial.name}")
        done = go(run)
        measure, values = _valued(done)
        measures.append(measure)
        tried.append(Tried(trial, values, kept(trial.point.bounds, done.artifact("evaluate").metrics)))
    if len(set(measures)) > 1:
        raise CaifError("sweep: some runs have a judge's verdicts and some have none", "see caif show of each")
    cfg = first.config.evaluate
    found = {"name": first.config.name, **table(tried, measures[0], cfg.bootstrap, first.config.seed)}
    folder = home / "sweeps"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{first.config.name}.json", json.dumps(found, indent=1))
    write_text(folder / f"{first.config.name}.html", page(found))
    return Swept(folder / f"{first.config.name}.html", found)


def _attempt(file: Path | str, trial: Trial, first: Guided, overrides: Sequence[str]) -> Attempt:
    given = [*overrides, *trial.overrides(first.config.recipe)]
    read = prepare(file, home=first.home, overrides=given, tell=first.tell)
    run = Attempt(read.config, read.home, read.plugins, read.base, read.tell)
    run.trial = trial
    return run


def _valued(done: Results) -> tuple[str, dict[str, float]]:
    """Return the win rates if a judge was asked, else the heads' rewards, which the policies may have been trained on."""
    metrics = done.artifact("evaluate").metrics
    if wins := by_wins(metrics):
        return "win rate", wins
    if "reward" not in done.artifacts:
        raise CaifError("sweep: nothing says what the policies are worth", "name a judge: evaluate.judge")
    return "reward", by_rewards(metrics)
