"""Thumbs from a help desk: the answer to a ticket is liked if it resolved the ticket, disliked if it did not.

Reads a CSV file with a header and the columns `question`, `answer`, `resolved` (yes or no) and `agent`. In the run file:

    plugins = ["plugins/support_tickets.py"]

    [[feedback]]
    use = "support-tickets"
    path = "tickets.csv"
"""

from collections.abc import Iterator
from pathlib import Path

import caif
from caif.formats.fields import Unusable, at_least_one, each, text
from caif.formats.jsonl import Line
from caif.formats.tables import csv_rows
from caif.hookspecs import FeedbackSource

COLUMNS = ("question", "answer", "resolved", "agent")
RESOLVED = {"yes": True, "no": False}


def support_tickets(path: Path, objective: str = "helpfulness") -> FeedbackSource:
    """Take one thumb a ticket. A ticket that is neither resolved nor unresolved is turned away, never guessed at."""

    def source(context: caif.FeedbackContext) -> Iterator[caif.Rating | caif.Rejected]:
        def rating(line: Line) -> Iterator[caif.Rating]:
            said = text(line.row, "resolved").strip().casefold()
            if said not in RESOLVED:
                raise Unusable("ambiguous polarity", f"resolved must be yes or no, not {said!r:.40}")
            yield caif.Rating(
                prompt=caif.Prompt.of(text(line.row, "question")),
                completion=text(line.row, "answer"),
                up=RESOLVED[said],
                objective=objective,
                source=context.source,
                rater=text(line.row, "agent", ""),
            )

        return at_least_one(each(csv_rows(path, COLUMNS), rating), path, "tickets")

    return source


@caif.hookimpl
def caif_feedback_sources():
    return {"support-tickets": support_tickets}
