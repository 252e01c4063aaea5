"""Commands on constitution files."""

from pathlib import Path
from typing import Annotated

import typer

from caif.cli.options import Debug
from caif.exits import guarded


@guarded
def check(file: Annotated[Path, typer.Argument(metavar="FILE")], *, debug: Debug = False) -> None:
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
