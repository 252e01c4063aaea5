"""The command line. Heavy imports are inside the commands, so that `caif --help` answers at once."""

import os
import sys
from typing import Annotated, Any

import typer

from caif.cli import audit, constitutions, differences, disagreements, export, feedback, labels, review, runs, score, sweep

HELP = """Turn a constitution into a trained model, and see what each principle did.

\b
  caif run quickstart            the whole way with a small model
  caif check run.toml            what is wrong, before anything is asked
  caif plan run.toml             what would run, and how many model calls
  caif run run.toml rl.steps=20  run it, with one value changed
  caif show run.toml             what was made, what it took
  caif audit run.toml            what its labels are worth
  caif review run.toml           say yourself which answers are better
  caif export run.toml           its labels for another training tool
"""

app = typer.Typer(
    help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
laws = typer.Typer(
    help="Check, lint, test and compare constitutions; bring them in and take them out.", no_args_is_help=True,
    rich_markup_mode=None,
)  # fmt: skip
app.add_typer(laws, name="constitution")
people = typer.Typer(
    help="People's feedback files: look into them, bring them in, mask what is personal.", no_args_is_help=True,
    rich_markup_mode=None,
)  # fmt: skip
app.add_typer(people, name="feedback")
bench = typer.Typer(help="Measure a model by a benchmark's own rules.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(bench, name="bench")


@bench.callback()
def _bench() -> None:
    """Keep the name of the one command there is."""


for command in (
    runs.run, sweep.sweep, runs.plan, runs.check, runs.show, labels.relabel, audit.audit, review.review, export.export,
    runs.keys, runs.plugins,
):  # fmt: skip
    app.command()(command)
for command in (constitutions.check, constitutions.lint, constitutions.test, constitutions.export, differences.diff):
    laws.command()(command)
laws.command("import")(constitutions.import_)
for command in (feedback.inspect, feedback.scrub, disagreements.disagreements):
    people.command()(command)
people.command("import")(feedback.import_)
app.command()(score.score)
bench.command()(score.reward)


def _version(asked: bool) -> None:
    if asked:
        import caif

        typer.echo(f"caif {caif.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


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
