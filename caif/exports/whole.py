"""Export a run's labels for another tool: the files, what the tool wants beside them, and a card that says what they are."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from caif.errors import CaifError, nearest
from caif.exports.card import card
from caif.exports.facts import facts, parts
from caif.exports.files import placed
from caif.exports.known import FORMATS
from caif.exports.writing import Tally, write
from caif.store import Artifact

CARD = "README.md"
SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


class Exported(NamedTuple):
    """Where an export lies, and what it came to."""

    folder: Path
    tally: Tally

    @property
    def table(self) -> dict[str, Any]:
        """The export as JSON."""
        return {"folder": str(self.folder), **self.tally.table}


def export(
    made: Sequence[Artifact],
    to: str,
    folder: Path,
    *,
    stage: str = "combine",
    licences: Mapping[str, str] | None = None,
    raters: bool = False,
) -> Exported:
    """Write the labels of a stage into a new folder, in the format `to`. `licences` are SPDX names by source.

    Who gave a label is left out unless `raters` are wanted. A CaifError says what cannot be exported, and nothing is left.
    """
    if to not in FORMATS:
        raise CaifError(f"--to: there is no format {to!r}", nearest(to, FORMATS))
    stages = {artifact.stage: artifact for artifact in made}
    if stage not in stages:
        raise CaifError(f"--stage: this run has made no stage {stage!r}", nearest(stage, stages))
    declared = dict(licences or {})
    for source, name in declared.items():
        if not SPDX.fullmatch(name):
            raise CaifError(f"--licence {source}={name}: is not the name of a licence", "write for example cc-by-4.0")
    with placed(folder) as scratch:
        tally = write(stages[stage], FORMATS[to], scratch, raters=raters)
        sources = {part for name in tally.sources for part in parts(name)}
        for name in declared.keys() - sources:
            raise CaifError(f"--licence: there is no source {name!r} in what is exported", nearest(name, sources))
        told = facts(made, stages[stage], FORMATS[to], tally, declared, raters=raters)
        (scratch / CARD).write_text(card(told), encoding="utf-8")
    return Exported(folder, tally)
