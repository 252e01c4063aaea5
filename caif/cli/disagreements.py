"""The command `caif feedback disagreements`."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caif.cli.options import HOME, AsJson, Debug, Home, made
from caif.exits import guarded

if TYPE_CHECKING:
    from caif.raters.disagreements import Compared

Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, its name, or a run file.")]


@guarded
def disagreements(
    run: Run,
    *,
    principle: Annotated[str, typer.Option(metavar="NAME", help="Only this principle.")] = "",
    examples: Annotated[int, typer.Option(min=0, help="How many to show of each kind.")] = 2,
    home: Home = HOME,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show where people and judges differ on the same answers, by principle, and whose fault that is likely to be.

    Each is sorted by the first rule that holds. This rater is off: all who say so vote against what others see, or agree
    with them hardly more than chance. The judge is unstable: its orders name different answers, it hardly answers, it is
    near one half, or says the contrary when asked otherwise. Else the constitution is silent or unclear. No model is
    asked; who the raters are is not shown.

    \b
    caif feedback disagreements run.toml
    caif feedback disagreements quickstart --principle kind --examples 5
    """
    from caif.errors import CaifError, nearest

    rows = _found(run, home)
    if principle and principle not in [row.principle for row in rows]:
        raise CaifError(
            f"--principle: none of {principle!r} could be compared", nearest(principle, [row.principle for row in rows])
        )
    rows = [row for row in rows if principle in ("", row.principle)]
    print(json.dumps([_table(row, examples) for row in rows])) if as_json else _print(rows, examples)


def _found(run: str, home: Any) -> "list[Compared]":
    from caif.errors import CaifError
    from caif.raters.disagreements import disagreements as differing
    from caif.raters.rows import weighed
    from caif.report.gather import gather
    from caif.report.raters import said_in

    _, artifacts = made(run, home)
    pairs, judgements, thumbs = said = said_in(gather([one for one in artifacts if one.by == "collect"]).sources)
    found = differing(judgements, pairs, thumbs, weighed(*said).raters)
    if not found:
        raise CaifError(
            f"{run}: no judgement could be set against a person's word",
            "it takes both on the same answers: ask people with caif review, add the lines that it prints, and run it",
        )
    return found


def _table(row: "Compared", examples: int) -> dict[str, Any]:
    from caif.raters.disagreements import KINDS
    from caif.report.raters import example

    shown = [{"kind": one.kind} | example(one) for kind in KINDS for one in row.of(kind)[:examples]]
    return {
        "principle": row.principle, "compared": row.compared, "differ": len(row.found),
        "kinds": {kind: len(row.of(kind)) for kind in KINDS}, "examples": shown,
    }  # fmt: skip


def _print(rows: "list[Compared]", examples: int) -> None:
    from caif.raters.disagreements import KINDS, UNCLEAR, UNSTABLE
    from caif.report.raters import example
    from caif.terminal import line, table
    from caif.text import brief

    columns = ("principle", "#compared", "#differ", "#silent or unclear", "#judge unstable", "#rater off")
    table(
        "",
        columns,
        [(row.principle, row.compared, len(row.found), *(len(row.of(kind)) for kind in KINDS)) for row in rows],
    )
    for row in rows:
        for kind in KINDS:
            for one in row.of(kind)[:examples]:
                told = example(one)
                said = told["verdict"].replace("_", " ") if told["p"] is None else f"P = {told['p']:.2f}"
                line(f"\n{row.principle}: {kind}. {told['why']}; the judge on the answer people prefer: {said}")
                for name, text in (("prompt", "prompt"), ("people prefer", "people"), ("to", "other")):
                    line(f"  {name}: {brief(told[text], 300)}")
    if any(row.of(UNCLEAR) for row in rows):
        line(
            "\nWhere the constitution is unclear, an edited principle can be tried: caif constitution diff OLD NEW --run RUN --judge MODEL"
        )
    elif any(row.of(UNSTABLE) for row in rows):
        line("\nWhat this judge is worth: caif audit RUN")
