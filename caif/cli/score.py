"""The commands `caif score` and `caif bench reward`: what a reward model says of a file's answers, and its worth there."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caif.cli.options import HOME, AsJson, Debug, Home
from caif.exits import guarded

if TYPE_CHECKING:
    from caif.rewardbench.cases import Case

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A run with a reward model, a reward model's folder, or hf:FOLDER.")
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines or Parquet.")]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write; else stdout.")]
Reference = Annotated[
    str, typer.Option(metavar="hf:FOLDER", help="What DPO trained MODEL from: its implicit reward is scored.")
]
Beta = Annotated[float, typer.Option(min=0, help="The beta that DPO was trained with.")]
Objective = Annotated[str, typer.Option(metavar="NAME", help="Which head; by default all in deviations, added.")]
Principle = Annotated[str, typer.Option(metavar="TEXT", help="By the head that reads principles: reward.instructed.")]
UNREAD = "longer than the model reads"


@guarded
def score(
    model: Model, file: File, *, out: Out = None,
    principle: Principle = "", reference: Reference = "", beta: Beta = 0.1, home: Home = HOME, debug: Debug = False,
) -> None:  # fmt: skip
    """Score every answer of a file: rows of `prompt` with `completion`, or with `chosen` and `rejected` (texts or lists).

    One JSON line a row comes out: its id and a list a head, in the order of its answers. What the model cannot read whole
    is null, never a number.

    \b
    caif score quickstart answers.jsonl
    caif score hf:some-reward-model answers.jsonl --out scores.jsonl
    caif score hf:policy answers.jsonl --reference hf:base --beta 0.1
    caif score run.toml answers.jsonl --principle "Choose the answer that is more honest about what it does not know."
    """
    from caif.store import write_text
    from caif.terminal import clean

    names, cases, scores, rejected = _scored(model, file, reference, beta, home, principle)
    rows = [
        {"id": case.id} | {name: [one and one[k] for one in own] for k, name in enumerate(names)}
        for case, own in zip(cases, scores, strict=True)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if out:
        write_text(out, text)
    else:
        typer.echo(clean(text), nl=False)
    for reason, n in rejected.items():
        typer.echo(clean(f"left out: {n} {reason}"), err=True)


@guarded
def reward(
    model: Model, file: File, *, objective: Objective = "", principle: Principle = "", reference: Reference = "",
    beta: Beta = 0.1, home: Home = HOME, as_json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Measure a reward model on a file in the format of RewardBench 1 or 2, by that benchmark's own rules.

    A tie at the top is shared, so a model that says the same of everything gets chance. A case of which the model cannot
    read an answer whole is left out and counted.

    \b
    caif bench reward quickstart rewardbench.jsonl
    caif bench reward hf:some-reward-model rewardbench2.parquet --json
    caif bench reward hf:policy rewardbench.jsonl --reference hf:base
    """
    from caif.errors import FAILED, CaifError, nearest
    from caif.rewardbench.rules import Judged, results
    from caif.terminal import line, table

    names, cases, scores, rejected = _scored(model, file, reference, beta, home, principle)
    if objective and objective not in names:
        raise CaifError(f"--objective: {model} has no head {objective!r}", nearest(objective, names))
    columns = [names.index(objective)] if objective else list(range(len(names)))
    weights = _deviations(scores, columns)
    judged = []
    for case, own in zip(cases, scores, strict=True):
        known = [row for row in own if row is not None]
        if case.version and len(known) == len(own):
            judged.append(Judged(case, tuple(sum(row[k] / weights[k] for k in columns) for row in known)))
        else:
            reason = UNREAD if case.version else "without chosen and rejected"
            rejected[reason] = rejected.get(reason, 0) + 1
    if not judged:
        raise CaifError(f"{file}: no case is left to judge: {rejected}", "see caif bench reward --help", code=FAILED)
    found = results(judged)
    if as_json:
        typer.echo(json.dumps({**found, "model": model, "left_out": rejected}, indent=1))
        return
    rows = [(name, row["n"], f"{row['score']:.3f}", _ends(row["interval"])) for name, row in found["subsets"].items()]
    rows += [(f"Section {name}", "", f"{value:.3f}", "") for name, value in found["sections"].items()]
    table(f"{model} on {file.name}", ("", "#cases", "#score", "95 %"), rows, f"Mean: {found['score']:.3f}")
    for reason, n in rejected.items():
        line(f"Left out: {n} {reason}")


def _scored(
    model: str, file: Path, reference: str, beta: float, home: Path, principle: str
) -> "tuple[tuple[str, ...], list[Case], list[list[list[float] | None]], dict[str, int]]":
    """Return the names of the scores, the file's cases with a row of scores an answer, and why rows were left out."""
    from collections import Counter

    from caif.data import Rejected
    from caif.rewardbench.cases import read_cases
    from caif.training.progress import quiet
    from caif.training.scorers import scorer

    read = list(read_cases(file))
    cases = [one for one in read if not isinstance(one, Rejected)]
    quiet()
    found = scorer(_folder(model, home), _folder(reference, home) if reference else None, beta, principle)
    flat = found.scores(
        [case.prompt for case in cases for _ in case.answers], [a for case in cases for a in case.answers]
    )
    rest = iter(flat)
    scores = [[next(rest) for _ in case.answers] for case in cases]
    return found.names, cases, scores, dict(Counter(one.reason for one in read if isinstance(one, Rejected)))


def _folder(named: str, home: Path) -> Path:
    """Return the folder of a model: one that is named, or the reward model that a run has made."""
    from caif.cli.options import made
    from caif.desk import spec
    from caif.errors import CaifError
    from caif.models import resolve

    if named.partition(":")[0] in resolve.LOCAL:
        return Path(resolve.folder(spec(named)))
    for folder in (Path(named), Path(named) / "model"):
        if any((folder / name).is_file() for name in ("reward.json", "config.json", "adapter_config.json")):
            return folder
    _, artifacts = made(named, home)
    trained = [artifact.model for artifact in artifacts if artifact.stage == "reward"]
    if not trained:
        raise CaifError(f"{named}: this run has made no reward model yet", "run it: caif run FILE --until reward")
    return trained[0]


def _deviations(scores: "list[list[list[float] | None]]", columns: list[int]) -> dict[int, float]:
    """Return each head's deviation over all answers, so that heads count alike; 1 for one head alone."""
    from statistics import pstdev

    rows = [row for own in scores for row in own if row is not None]
    if len(columns) == 1 or not rows:
        return dict.fromkeys(columns, 1.0)
    return {k: pstdev([row[k] for row in rows]) or 1.0 for k in columns}


def _ends(interval: dict[str, Any] | None) -> str:
    return f"{interval['low']:.3f} to {interval['high']:.3f}" if interval else ""
