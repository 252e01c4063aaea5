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


@pytest.mark.parametrize(
    ("name", "tally"),
    {
        "argilla": "1 up, 2 down, 8 turned away",
        "argilla ranking": "11 pairs, 4 of them ties, 2 turned away",
        "axolotl": "2 pairs, 4 turned away",
        "chainlit": "2 up, 1 down, 7 turned away",
        "chatbot-arena": "4 pairs, 1 of them ties, 5 turned away",
        "chatbot-arena log": "2 up, 1 down, 3 pairs, 1 of them ties, 6 turned away",
        "gradio": "1 up, 2 down, 7 turned away",
        "label-studio": "2 up, 2 down, 4 pairs, 9 turned away",
        "langfuse": "2 up, 3 down, 9 turned away",
        "langsmith": "2 up, 2 down, 2 pairs, 1 of them ties, 8 turned away",
        "librechat": "2 up, 1 down, 8 turned away",
        "llama-factory": "2 up, 1 down, 2 pairs, 9 turned away",
        "open-webui": "3 up, 2 down, 17 turned away",
        "open-webui siblings": "3 pairs, 1 of them ties, 2 turned away",
        "openai-preference": "2 pairs, 7 turned away",
        "phoenix": "2 up, 1 down, 6 turned away",
        "table": "1 up, 2 down, 4 turned away",
        "table of pairs": "2 pairs, 2 turned away",
        "trl": "4 pairs, 6 turned away",
        "trl-unpaired": "1 up, 1 down, 4 turned away",
        "vercel": "2 up, 1 down, 5 turned away",
    }.items(),
)
def test_no_row_of_it_changes_sides_or_gets_lost(name, tally):
    """Counted by hand when the files were written: 0 is down in Chainlit, a draft or a cancelled annotation is no vote."""
    export = EXPORTS[name]
    rows = list(export.reader()(export.path))
    thumbs = [row.up for row in rows if isinstance(row, Rating)]
    pairs = [row.probability for row in rows if isinstance(row, Preference)]
    counts = {
        "up": thumbs.count(True), "down": thumbs.count(False), "pairs": len(pairs), "of them ties": pairs.count(0.5),
        "turned away": sum(isinstance(row, Rejected) for row in rows),
    }  # fmt: skip
    assert ", ".join(f"{count} {what}" for what, count in counts.items() if count) == tally


def test_an_address_never_enters_a_row():
    """Log lines of an arena hold one each."""
    export = EXPORTS["chatbot-arena log"]
    assert not any("203.0.113.7" in row.model_dump_json() for row in export.reader()(export.path))


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
