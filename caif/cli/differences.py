"""The command `caif constitution diff`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caif.cli.constitutions import Judge, Method, Samples
from caif.cli.options import HOME, AsJson, Debug, Home
from caif.exits import guarded

if TYPE_CHECKING:
    from caif.data import Judgement
    from caif.laws.diff import Change, Relabelled

Law = Annotated[Path, typer.Argument(metavar="FILE", help="A constitution (.toml, .yaml, .json).")]
SHOWN = 5


@guarded
def diff(
    old: Law,
    new: Law,
    *,
    run: Annotated[str, typer.Option(metavar="RUN", help="A run with labels made by the first file.")] = "",
    pairs: Annotated[str, typer.Option(metavar="FORMAT:PATH", help="Or people's pairs, to label by both files.")] = "",
    judge: Judge = "",
    method: Method = "logprobs",
    samples: Samples = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Pairs at most.")] = None,
    home: Home = HOME,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show what changed between two constitutions, word by word, and which labels would change with it.

    With --run, how many labels of that run stand under a changed or removed principle. With --judge besides, and --run
    or --pairs, that judge is asked again, but only what a changed question could change; what the ledger holds is not
    paid for. Without --judge nothing is asked.

    \b
    caif constitution diff old.toml new.toml
    caif constitution diff old.toml new.toml --run quickstart
    caif constitution diff old.toml new.toml --judge embedded:1.5b --pairs hh-rlhf:pairs.jsonl --limit 100
    """
    from caif.constitution import read
    from caif.errors import CaifError
    from caif.laws.diff import changes

    if (pairs and run) or bool(judge) > bool(pairs or run) or bool(pairs) > bool(judge):
        raise CaifError(
            "diff: --judge needs --pairs or --run, and --pairs needs --judge", "see caif constitution diff --help"
        )
    before, after = read(old), read(new)
    found = changes(before, after)
    judgements = _stored(run, home, found) if run else []
    table: dict[str, Any] = {
        "old": before.digest, "new": after.digest,
        "changes": [{"principle": c.name, "kind": c.kind, "asks_anew": c.asks_anew, "fields": c.fields} for c in found],
        "labels": _standing(found, judgements) if run else None,
    }  # fmt: skip
    if judge:
        table |= _ask(found, judgements, (pairs, limit), (judge, method, samples), home)
    print(json.dumps(table)) if as_json else _print(table, judge)


def _stored(run: str, home: Path, found: "Sequence[Change]") -> "list[Judgement]":
    """Return a run's judgements, if they were made by the old wording."""
    from caif import constitution, show
    from caif.data import Judgement
    from caif.errors import CaifError

    folder = show.find(run, home)
    if folder is None:
        raise CaifError(f"{run}: is no run's folder, nor the name of a run in {home}", "name HOME/runs/NAME")
    made = {line.stage: line.artifact for line in show.lines(show.listed(folder), home) if line.artifact}
    if "constitution" in made:
        kept = {p.id: p for p in constitution.stored(made["constitution"]).principles}
        for change in found:
            if change.old and change.old.id in kept and kept[change.old.id].digest != change.old.digest:
                what = f"{run}: its labels were made by another wording of {change.old.id} than the first file's"
                raise CaifError(what, f"compare with {made['constitution'].folder / constitution.FILE}")
    return [row for artifact in made.values() if artifact.by == "collect" for row in artifact.rows(Judgement)]


def _standing(found: "Sequence[Change]", judgements: "Sequence[Judgement]") -> dict[str, int]:
    """Return how many labels stand under each principle that is not what it was."""
    touched = {c.old.id: c.name for c in found if c.old and (c.asks_anew or c.kind in ("removed", "renamed"))}
    return {name: sum(j.principle == id_ for j in judgements) for id_, name in touched.items()}


def _ask(
    found: "Sequence[Change]",
    judgements: "Sequence[Judgement]",
    source: tuple[str, int | None],
    judge: tuple[str, str, int | None],
    home: Path,
) -> dict[str, Any]:
    from caif import desk
    from caif.audit.people import read_pairs, refuse_empty
    from caif.laws.diff import counted, relabel
    from caif.terminal import Terminal

    with desk.at(home, "constitution diff", Terminal()) as here:
        labels = list(dict.fromkeys((j.comparison, j.principle) for j in judgements))
        if source[0]:
            refuse_empty({source[0]: (read := read_pairs(here.read(source[0]), 0, source[1]))})
            labels = [(pair.comparison, "") for pair in read.pairs]
        again = relabel(here.bench(*judge), found, labels[: source[1]])
        asked = {"questions": here.questions, "asked": here.paid, "found": here.questions - here.paid}
    rows = {
        name: counted(some) | {"examples": [_example(r) for r in some if r.outcome != "same"][:SHOWN]}
        for name, some in again.items()
    }
    return {"relabelled": rows, **asked}


def _example(row: "Relabelled") -> dict[str, Any]:
    from caif.laws.cases import SHOWN
    from caif.text import brief

    c = row.old.comparison
    said = [{"verdict": j.verdict, "p_a": j.p_a} for j in (row.old, row.new)]
    return {
        "outcome": row.outcome,
        "prompt": brief(c.prompt.text, SHOWN),
        "a": brief(c.a, SHOWN),
        "b": brief(c.b, SHOWN),
        "old": said[0],
        "new": said[1],
    }


def _print(table: dict[str, Any], judge: str) -> None:
    from caif.terminal import line
    from caif.terminal import table as show

    for change in table["changes"]:
        line(f"{change['kind']}  {change['principle']}{'  (a judge is asked anew)' if change['asks_anew'] else ''}")
        line("\n".join(f"  {name}: {text}" for name, text in change["fields"].items()) or "")
    if not table["changes"]:
        line("The principles are the same.")
    for name, n in (table["labels"] or {}).items():
        line(f"{n} labels of the run stand under {name}")
    if not judge:
        return
    again = table["relabelled"]
    columns = ("principle", "#labels", "#same", "#flipped", "#lost", "#gained", "#mean move of P")
    rows = [(name, *(r[k] for k in ("labels", "same", "flipped", "lost", "gained")),
             "" if r["mean_move"] is None else f"{r['mean_move']:.3f}") for name, r in again.items()]  # fmt: skip
    show(f"Labels by {judge}", columns, rows)
    for name, r in again.items():
        for example in r["examples"]:
            line(f"\n{name}: {example['outcome']}, {example['old']['verdict']} -> {example['new']['verdict']}")
            line("\n".join(f"  {key}: {example[key]}" for key in ("prompt", "a", "b")))
    line(f"\n{table['questions']} questions: {table['asked']} asked now, {table['found']} found before or unanswered.")
