"""What the commands share: the arguments they have in common, and the run that a file stands for."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from caif.api import Guided
    from caif.store import Artifact

RunFile = Annotated[str, typer.Argument(metavar="FILE", help="A run file (.toml, .yaml, .json), or: quickstart.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Values put over the file's.")]
Home = Annotated[Path, typer.Option(envvar="CAIF_HOME", help="Where everything made is kept.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Until = Annotated[str, typer.Option(metavar="STAGE", help="Stop after this stage; `feedback` is all sources.")]
HOME = Path("caif-home")


def prepare(file: str, home: Path, overrides: Sequence[str] | None = None, *, quiet: bool = False) -> "Guided":
    """Return the run of a run file, with values put over the file's."""
    from caif import api
    from caif.run import Tell

    return api.prepare(file, home=home, overrides=overrides or (), tell=Tell() if quiet else None)


def made(run: str, home: Path) -> "tuple[Path, list[Artifact]]":
    """Return the folder of a run and all it has made so far, by its folder, its name or its run file."""
    from caif import show
    from caif.plan import steps

    if folder := show.find(run, home):
        stages = show.listed(folder)
    else:
        prepared = prepare(run, home, quiet=True)
        folder, stages = prepared.folder, [(step.name, step.artifact.folder) for step in steps(prepared)]
    return folder, [line.artifact for line in show.lines(stages, home) if line.artifact]


def key_value(text: str, option: str) -> tuple[str, Any]:
    """Return what KEY=VALUE says: the value as TOML has it, or as the text it is."""
    import tomllib

    from caif.errors import CaifError

    key, equals, value = text.partition("=")
    if not (key and equals):
        raise CaifError(f"{option} {text!r}: is not KEY=VALUE", "write for example objective=honesty")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value  # a bare word is a text
