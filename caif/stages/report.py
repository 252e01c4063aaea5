"""Say what changed, by how much and because of which principle: one page, and the same numbers as JSON."""

import json
from typing import Any

from caif.config import Report
from caif.report.gather import gather
from caif.report.numbers import numbers
from caif.report.page import page
from caif.run import Work
from caif.store import Artifact, write_text

PAGE, NUMBERS = "report.html", "report.json"


def report(work: Work, *made: Artifact | None, cfg: Report) -> dict[str, Any]:
    """Write the page and its numbers from whatever the run has made; what it left out is said there."""
    table = numbers(gather(made), cfg.title, cfg.examples)
    write_text(work.draft.folder / PAGE, page(table))
    # Plain ASCII, so that a terminal shows every control and bidirectional character as an escape.
    write_text(work.draft.folder / NUMBERS, json.dumps(table, indent=1, allow_nan=False))
    return {"summary": table["summary"], "cautions": table["cautions"]}


report.version = 1
