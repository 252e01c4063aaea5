"""What the commands share: the arguments they have in common, and the run that a file stands for."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from caif.api import Guided

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
