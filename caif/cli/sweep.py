"""caif sweep: weights and seeds in one command, and what they trade against each other."""

from typing import Annotated, Any

import typer

from caif.cli.options import HOME, AsJson, Debug, Home, Overrides, RunFile
from caif.exits import guarded

Weights = Annotated[
    list[str] | None,
    typer.Option(metavar="OBJECTIVE=N,N,…", help="Weights to try; several of these are tried in all combinations."),
]
Bounds = Annotated[
    list[str] | None,
    typer.Option(
        metavar="OBJECTIVE>=N,N,…",
        help="Bounds on an objective's mean reward to try (>= or <=), beside the weights; several in all combinations.",
    ),
]
Seeds = Annotated[
    int, typer.Option(min=1, help="How often each is trained, with the policy's seed one higher each time.")
]


@guarded
def sweep(
    file: RunFile, overrides: Overrides = None, *, weights: Weights = None, bounds: Bounds = None, seeds: Seeds = 3,
    home: Home = HOME, as_json: AsJson = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Train the policy with several weights or bounds and seeds, and show the front: what one objective costs in another.

    All stages before the policy are made once. Stopped, the same command goes on where it was; the run file's budget is
    for all runs together. The page and its numbers are in HOME/sweeps.

    \b
    caif sweep run.toml --weights "harmlessness=0.25,0.5,1,2" --seeds 3
    caif sweep run.toml --weights "harmlessness=0.5,1,2" --weights "brevity=0.5,1" --seeds 5
    caif sweep run.toml --weights "brevity=0.5,1,2" --bounds "brevity>=0,0.5"
    caif sweep run.toml recipe=dpo --weights "harmlessness=0.5,1,2"
    """
    import json

    from caif.sweeps.grid import parse
    from caif.sweeps.running import sweep as go
    from caif.terminal import line, table

    done = go(file, parse(weights or (), bounds or ()), seeds, home=home, overrides=overrides or ())
    if as_json:
        line(json.dumps(done.table))
        return
    names = done.table["objectives"]
    rows = [
        (point["point"], *(_said(point["objectives"][name]) for name in names), "yes" if point["front"] else "no")
        for point in done.table["points"]
    ]  # fmt: skip
    table("", ("point", *names, "front"), rows)
    for run in done.table["runs"]:
        for bound in run["kept"]:
            line(f"{bound['said']}, seed {run['seed']}: {_held(bound)}")
    line(f"volume of the front: {_said(done.table['hypervolume'])}; {done.page}")


def _said(row: dict[str, float | None]) -> str:
    around = "" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['value']:.3f}{around}"


def _held(bound: dict[str, Any]) -> str:
    if bound["held"] is None:
        return "not measured"
    return f"{'kept' if bound['held'] else 'broken'}, {bound['mean']:.3f} [{bound['low']:.3f}, {bound['high']:.3f}] held out"
