"""Commands on runs: run, plan, check, show; and plugins."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caif.cli.options import HOME, AsJson, Debug, Home, Overrides, RunFile, Until, prepare
from caif.exits import guarded

if TYPE_CHECKING:
    from caif.plugins import Part


@guarded
def run(
    file: RunFile, overrides: Overrides = None, *, home: Home = HOME, until: Until = "", as_json: AsJson = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Run a run file; what is made already is not made again. A training that was killed goes on from its last checkpoint.

    With `torchrun --nproc_per_node 2 -m caif run …` or `accelerate launch` several processes train together.

    \b
    caif run quickstart
    caif run run.toml --until combine
    caif run run.toml seed=1 rl.steps=20 feedback.0.weight=2
    """
    from caif import processes
    from caif.api import go
    from caif.show import print_results

    done = go(prepare(file, home, overrides), until)
    if processes.first():
        print_results(done, as_json=as_json)


@guarded
def plan(file: RunFile, overrides: Overrides = None, *, home: Home = HOME, debug: Debug = False) -> None:
    """Show what is made, what would run, and what it would cost at most in calls, tokens, money and time. Nothing is asked.

    Tokens are estimated from the lengths of the prompts, or from what the same stage took before with the same model; time
    is known only then. Money needs price_in and price_out in the model's table.

    \b
    caif plan run.toml
    caif plan run.toml sample.samples=4
    """
    from caif.estimates import estimates
    from caif.plan import models, steps
    from caif.show import print_plan

    prepared = prepare(file, home, overrides)
    planned = steps(prepared)
    named = {s.name: ", ".join(dict.fromkeys(spec.use for spec in models(prepared, s.cfg))) for s in planned}
    print_plan(prepared, planned, estimates(prepared, planned), named)


@guarded
def check(file: RunFile, overrides: Overrides = None, *, home: Home = HOME, debug: Debug = False) -> None:
    """Look for everything that can be known to be wrong before the first model call. Exit code 2 if something is.

    What cannot be known beforehand, and what may well be meant so, is a note.
    """
    from caif.check import check as look
    from caif.terminal import line

    found = look(prepare(file, home, overrides, quiet=True))
    for place, texts in found.items():
        told = {"wrong ": texts, "note  ": found.notes[place]}
        line("\n".join(f"{how} {place}: {text}" for how, some in told.items() for text in some) or f"ok     {place}")
    if any(found.values()):
        raise SystemExit(2)


@guarded
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, its name, or a run file.")],
    stage: Annotated[str, typer.Argument(metavar="[STAGE]", help="Show this stage's counts, numbers and first rows.")] = "",
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many rows of each kind.")] = 5,
    full: Annotated[bool, typer.Option("--full", help="Every field of a row, whole.")] = False,
    home: Home = HOME, debug: Debug = False,
) -> None:  # fmt: skip
    """Show what a run has made and what it took; of a stage its counts by reason, its numbers and its first rows.

    \b
    caif show caif-home/runs/quickstart
    caif show run.toml combine
    caif show run.toml ai-labeler --limit 1 --full
    """
    from caif import show as shown
    from caif.plan import steps

    folder = shown.find(run, home)
    prepared = None if folder else prepare(run, home)
    stages = shown.listed(folder) if folder else [(s.name, s.artifact.folder) for s in steps(prepared)] if prepared else []
    name = folder.name if folder else prepared.config.name if prepared else ""
    lines = shown.lines(stages, folder.parent.parent if folder else home, name)
    if stage:
        shown.print_stage(shown.one(stage, lines), limit, full=full)
    else:
        shown.print_run(str(folder or run), lines, folder or (prepared.folder if prepared else None))


@guarded
def keys(
    section: Annotated[str, typer.Argument(metavar="[SECTION]", help="Show this section alone.")] = "", *, debug: Debug = False
) -> None:
    """Show the keys of a run file, section by section: what each may be, and what it is if it is left out.

    \b
    caif keys
    caif keys rl
    """
    from caif import keys as known
    from caif.terminal import line, table

    for name, model in {section: known.section(section)}.items() if section else known.sections().items():
        table("" if name == known.TOP else f"[{name}]", ("key", "may be", "if left out"), known.keys(model))
        line(known.about(model))


@guarded
def plugins(
    part: Annotated[str, typer.Argument(metavar="[PART]", help="Show this part's options instead.")] = "", *,
    folder: Annotated[Path, typer.Option(help="A folder of single-file plugins.")] = Path("plugins"), debug: Debug = False,
) -> None:  # fmt: skip
    """List every plugin: where it comes from, its hooks, its parts, and what is wrong with it.

    \b
    caif plugins
    caif plugins ai-labeler        what it does, and its options in a run file
    """
    from caif.plugins import load
    from caif.terminal import table

    loaded = load(folders=[folder])
    if part:
        _print_part(part, loaded.parts)
        return
    rows = []
    for one in loaded.loaded:
        parts = [f"{hook.removeprefix('caif_')}: {name}" for hook, some in loaded.parts.items() for name, part in some.items()
                 if part.plugin == one.id]  # fmt: skip
        rows.append((one.name, one.origin, ", ".join(one.hooks), "\n".join(parts), one.error))
    table("", ("plugin", "from", "hooks", "parts", "error"), rows)


def _print_part(name: str, parts: "Mapping[str, Mapping[str, Part]]") -> None:
    from inspect import getdoc

    from caif.errors import CaifError, nearest
    from caif.options import described
    from caif.terminal import line, table

    found = {hook: some[name] for hook, some in parts.items() if name in some}
    if not found:
        raise CaifError(f"there is no part {name!r}", nearest(name, {one for some in parts.values() for one in some}))
    for hook, part in found.items():
        table(f"{hook.removeprefix('caif_')}: {name}", ("option", "may be", "if left out"), described(part.factory))
        line(getdoc(part.factory) or "")
