"""What every reader makes of the file written by hand to its product's schema, row by row, as a page to be looked at."""

import json
from pathlib import Path

import pytest
from readers import EXPORTS

from caif.data import Preference, Rating, Rejected
from caif.formats import caif_feedback_formats

GOLDEN = Path(__file__).parent / "golden"
NEW = [
    name
    for name, export in EXPORTS.items()
    if export.format not in ("caif", "hh-rlhf", "fine-grained", "llmbar", "icai")
]


def test_every_format_has_a_file_by_hand():
    """A reader without one is not known to read anything. (Votes of `caif review` are tested where they are made.)"""
    assert {export.format for export in EXPORTS.values()} == set(caif_feedback_formats()) - {"reviews"}


@pytest.mark.parametrize("name", NEW)
def test_the_file_by_hand_gives_these_rows(name, same_as):
    """Every thumb, pair and rejected row, with its polarity, rater, reason, correction and origin."""
    export = EXPORTS[name]
    page = "".join(_line(row) + "\n" for row in export.reader()(export.path))
    same_as(GOLDEN / f"{name.replace(' ', '_')}.txt", page)


@pytest.mark.parametrize("name", EXPORTS)
def test_every_label_says_where_it_stands_and_nobody_is_named(name):
    """The raw reference is there; users and chats only as salted hashes, which another salt changes."""
    export = EXPORTS[name]
    rows = [row for row in export.reader()(export.path) if not isinstance(row, Rejected)]
    assert rows
    assert all(row.origin.raw for row in rows)
    if export.format == "caif":
        return  # its raters are names that were chosen for it
    assert all(row.rater == "" or row.rater.startswith("user-") for row in rows)
    assert all(row.origin.conversation == "" or row.origin.conversation.startswith("chat-") for row in rows)


def _line(row):
    if isinstance(row, Rejected):
        return f"-- {row.where}: {row.reason}" + (f" ({row.detail})" if row.detail else "")
    asked = " / ".join(f"{message.role}: {message.content}" for message in row.prompt.messages)
    if isinstance(row, Preference):
        said = f"{row.chosen!r} > {row.rejected!r} ({row.probability:g})"
    else:
        assert isinstance(row, Rating)
        said = f"{row.completion!r} {'up' if row.up else 'down'}"
        said += "".join(f", {key}: {value!r}" for key in ("reason", "correction") if (value := getattr(row, key)))
    origin = json.dumps(
        {key: value for key, value in row.origin.model_dump(include={"raw", "at", "conversation"}).items() if value}
    )
    return f"{asked!r}\n    {said}\n    by {row.rater or 'nobody known'}, {origin}"
