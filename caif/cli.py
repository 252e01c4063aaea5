"""The command line. Heavy imports are inside the commands, so that `caif --help` answers at once."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caif.exits import guarded

if TYPE_CHECKING:
    from caif.api import Guided

HELP = """Turn a constitution into a trained model, and see what each principle did.

\b
  caif run quickstart            the whole way with a small model
  caif check run.toml            what is wrong, before anything is asked
  caif plan run.toml             what would run, and how many model calls
  caif run run.toml rl.steps=20  run it, with one value changed
  caif show run.toml             what was made, what it took
"""

app = typer.Typer(
    help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
constitutions = typer.Typer(help="Look at constitutions.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(constitutions, name="constitution")

RunFile = Annotated[str, typer.Argument(metavar="FILE", help="A run file (.toml, .yaml, .json), or: quickstart.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Values put over the file's.")]
Home = Annotated[Path, typer.Option(envvar="CAIF_HOME", help="Where everything made is kept.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Until = Annotated[str, typer.Option(metavar="STAGE", help="Stop after this stage; `feedback` is all sources.")]
HOME = Path("caif-home")


@app.command()
@guarded
def run(
    file: RunFile, overrides: Overrides = None, *, home: Home = HOME, until: Until = "", as_json: AsJson = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Run a run file; what is made already is not made again.

    \b
    caif run quickstart
    caif run run.toml --until combine
    caif run run.toml seed=1 rl.steps=20 feedback.0.weight=2
    """
    from caif.api import go
    from caif.show import print_results

    print_results(go(_prepare(file, home, overrides), until), as_json=as_json)


@app.command()
@guarded
def plan(file: RunFile, overrides: Overrides = None, *, home: Home = HOME, debug: Debug = False) -> None:
    """Show what is made, what would run, and how many model calls at most. Nothing is asked.

    \b
    caif plan run.toml
    caif plan run.toml sample.samples=4
    """
    from caif.plan import calls, models, steps
    from caif.terminal import table

    prepared = _prepare(file, home, overrides)
    planned = steps(prepared)
    wanted = calls(prepared, planned)
    rows = [
        (s.name, s.state, "?" if wanted[s.name] is None else f"{wanted[s.name]:,}",
         ", ".join(dict.fromkeys(spec.use for spec in models(prepared, s.cfg))), s.artifact.folder.name)
        for s in planned
    ]  # fmt: skip
    total = f"{sum(number or 0 for number in wanted.values()):,}" + (" and what plugins ask" if None in wanted.values() else "")
    columns = ("stage", "state", "#calls at most", "model", "folder in store/")
    table(prepared.config.name, columns, rows, f"Calls at most: {total}.")


@app.command()
@guarded
def check(file: RunFile, overrides: Overrides = None, *, home: Home = HOME, debug: Debug = False) -> None:
    """Look for everything that can be known to be wrong before the first model call. Exit code 2 if something is."""
    from caif.check import check as look
    from caif.terminal import line

    found = look(_prepare(file, home, overrides, quiet=True))
    for place, texts in found.items():
        line("\n".join(f"wrong  {place}: {text}" for text in texts) or f"ok     {place}")
    if any(found.values()):
        raise SystemExit(2)


@app.command()
@guarded
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, its name, or a run file.")],
    stage: Annotated[str, typer.Argument(metavar="[STAGE]", help="Show this stage's counts, numbers and first rows.")] = "",
    *, home: Home = HOME, debug: Debug = False,
) -> None:  # fmt: skip
    """Show what a run has made and what it took.

    \b
    caif show caif-home/runs/quickstart
    caif show run.toml combine
    """
    from caif import show as shown
    from caif.plan import steps

    folder = shown.find(run, home)
    stages = shown.listed(folder) if folder else [(s.name, s.artifact.folder) for s in steps(_prepare(run, home))]
    lines = shown.lines(stages, folder.parent.parent if folder else home)
    if stage:
        shown.print_stage(shown.one(stage, lines))
    else:
        shown.print_run(str(folder or run), lines)


@app.command()
@guarded
def plugins(
    folder: Annotated[Path, typer.Option(help="A folder of single-file plugins.")] = Path("plugins"), *, debug: Debug = False
) -> None:
    """List every plugin: where it comes from, its hooks, its parts, and what is wrong with it."""
    from caif.plugins import load
    from caif.terminal import table

    loaded = load(folders=[folder])
    rows = []
    for one in loaded.loaded:
        parts = [f"{hook.removeprefix('caif_')}: {name}" for hook, some in loaded.parts.items() for name, part in some.items()
                 if part.plugin == one.id]  # fmt: skip
        rows.append((one.name, one.origin, ", ".join(one.hooks), "\n".join(parts), one.error))
    table("", ("plugin", "from", "hooks", "parts", "error"), rows)


@constitutions.command("check")
@guarded
def constitution_check(file: Annotated[Path, typer.Argument(metavar="FILE")], *, debug: Debug = False) -> None:
    """Check a constitution and show its principles by objective."""
    from caif.constitution import read
    from caif.terminal import table

    law = read(file)
    ordered = sorted(law.principles, key=lambda p: list(law.objectives).index(p.objective))
    rows = [
        (p.objective, p.id, f"{p.weight:g}", p.authority, ", ".join(p.applies_to) or "all", len(p.cases), p.digest[:8])
        for p in ordered
    ]
    columns = ("objective", "principle", "#weight", "#authority", "applies to", "#cases", "digest")
    about = f"{len(law.principles)} principles for {len(law.objectives)} objectives; digest {law.digest}"
    table(f"{law.name} {law.version}", columns, rows, about)


def _prepare(file: str, home: Path, overrides: list[str] | None = None, *, quiet: bool = False) -> "Guided":
    from caif.api import prepare
    from caif.run import Tell

    return prepare(file, home=home, overrides=overrides or (), tell=Tell() if quiet else None)


def main(args: Any = None) -> None:
    """Run the command line."""
    try:
        app(args)
    except SystemExit as left:
        if isinstance(left.code, int) and left.code:  # do not wait for threads that wait for servers
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(left.code)
        raise
