"""What the feedback commands share: how a file is named and read, and how far reading it has come."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from caif.cli.options import key_value

if TYPE_CHECKING:
    from caif.feedback.choosing import Chosen
    from caif.feedback.tally import Problems

R = TypeVar("R")
Export = Annotated[
    Path, typer.Argument(metavar="FILE", help="A file of feedback; .gz and .zst are unpacked as they are read.")
]
Format = Annotated[str, typer.Option("--format", metavar="NAME", help="Its format; else it is recognised by its keys.")]
Options = Annotated[
    list[str] | None, typer.Option("--option", metavar="KEY=VALUE", help="An option of the format; repeatable.")
]
Map = Annotated[
    str, typer.Option("--map", metavar="FIELD=COLUMN,…", help="Columns of a table of your own; format `table`.")
]
Up = Annotated[
    str, typer.Option("--up", metavar="A,B", help="Ratings that are a thumb up, where the format does not say.")
]
Down = Annotated[str, typer.Option("--down", metavar="A,B", help="Ratings that are a thumb down, likewise.")]
SaltEnv = Annotated[
    str,
    typer.Option("--salt-env", metavar="NAME", help="The variable that holds a salt of your own for raters' hashes."),
]
Out = Annotated[Path, typer.Option("-o", "--out", metavar="OUT.jsonl", help="Where to write.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")]
BATCH = 100


def choose(
    file: Path, named: str, option: list[str] | None, columns: tuple[str, str, str], salt_env: str = ""
) -> "Chosen":
    """Return the reader that the command line asks for; --map names the format `table`."""
    from caif.errors import CaifError
    from caif.feedback.choosing import choose as chosen
    from caif.plugins import load
    from caif.terminal import Terminal

    options: dict[str, Any] = dict(key_value(text, "--option") for text in option or [])
    if columns[0]:
        options["map"] = dict(_column(text) for text in columns[0].split(","))
        named = named or "table"
    options |= {key: values.split(",") for key, values in zip(("up", "down"), columns[1:], strict=True) if values}
    if not file.exists():
        raise CaifError(f"{file}: no such file", "check the path")
    if named == "table" and "map" not in options:
        raise CaifError("a table needs --map", "write for example --map prompt=question,response=answer,rating=vote")
    plugins = load(folders=[Path("plugins")])
    for complaint in plugins.complaints():
        Terminal().warn(complaint)
    return chosen(plugins, file, named, options, salt_of(salt_env) if salt_env else "")


def _column(text: str) -> tuple[str, str]:
    from caif.errors import CaifError

    field, equals, column = text.partition("=")
    if not (field and equals and column):
        raise CaifError(f"--map {text!r}: is not FIELD=COLUMN", "write for example prompt=question,response=answer")
    return field, column


def salt_of(env: str) -> str:
    """Return the salt that a variable holds, or caif's own."""
    from caif.errors import CaifError

    if env and not os.environ.get(env):
        raise CaifError(
            f"--salt-env: {env} is not set", f"export {env}=…, and keep it: another salt makes other raters"
        )
    return os.environ[env] if env else "caif"


def followed(rows: Iterable[R]) -> Iterator[R]:
    """Yield the rows, saying how far it has come."""
    from caif.terminal import Terminal

    tell, source = Terminal(), iter(rows)
    batches = iter(lambda: list(islice(source, BATCH)), [])
    try:
        for batch in tell.track(batches, None, "reading", len):
            yield from batch
    finally:
        tell.close()


def print_problems(problems: "Problems") -> None:
    """Print why rows cannot be used, and where each reason was met first."""
    from caif.terminal import table as print_table

    rows = [(row["reason"], f"{row['count']:,}", row["first"], row["detail"]) for row in problems.table]
    print_table("Rows that cannot be used", ("reason", "#rows", "the first", "detail"), rows)
