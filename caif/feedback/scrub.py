"""Mask what is personal in every text of a file of JSON lines, and count what was found: never the values themselves."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from caif.data import Rejected
from caif.feedback.personal import Mask
from caif.feedback.tally import Problems
from caif.formats.fields import hashed
from caif.formats.jsonl import Line

NAMES = {"rater": "user", "conversation": "chat"}
"""Fields that hold a name and not a text, and what a salted hash of it begins with."""


@dataclass
class Scrubbed:
    """What scrubbing a file came to. `found` counts by kind and field; rows that are `left_out` could not be read."""

    rows: int = 0
    changed: int = 0
    found: Counter[tuple[str, str]] = field(default_factory=Counter)
    left_out: Problems = field(default_factory=Problems)

    @property
    def table(self) -> dict[str, Any]:
        """The report as JSON."""
        found = [{"kind": kind, "field": where, "count": n} for (kind, where), n in sorted(self.found.items())]
        return {"rows": self.rows, "changed": self.changed, "found": found, "left_out": self.left_out.table}


def scrub(rows: Iterable[Line | Rejected], report: Scrubbed, salt: str = "caif") -> Iterator[dict[str, Any]]:
    """Yield each row with its texts masked, and count into the report.

    Placeholders are the same throughout a row, and throughout the rows that name one `conversation`. A `rater` or a
    `conversation` that is personal becomes a salted hash instead: placeholders would make two raters of two rows one.
    """
    masks: dict[str, Mask] = {}
    for line in rows:
        if isinstance(line, Rejected):
            report.left_out.add(line)
            continue
        conversation = str(line.row.get("conversation") or "")
        mask = masks.get(conversation) or Mask()
        found: Counter[tuple[str, str]] = Counter()
        try:
            row = _scrub_row(line.row, mask, salt, found)
        except RecursionError:
            report.left_out.add(Rejected(where=line.where, reason="nested too deep"))
            continue
        if found and conversation:
            masks[conversation] = mask
        report.rows += 1
        report.changed += bool(found)
        report.found += found
        yield row


def _scrub_row(row: dict[str, Any], mask: Mask, salt: str, found: Counter[tuple[str, str]]) -> dict[str, Any]:
    def text(value: str, where: str) -> str:
        clean, kinds = mask(value)
        found.update((kind, where) for kind in kinds)
        return hashed(NAMES[where], value, salt) if kinds and where in NAMES else clean

    # The prompt first: where rows share one, its placeholders must not depend on what the answers hold.
    order = sorted(row, key=lambda key: key != "prompt")
    clean = {key: texts(row[key], text, key) for key in order}
    return {key: clean[key] for key in row}


def texts(value: Any, change: Callable[[str, str], str], where: str) -> Any:
    """Return a JSON value with every text changed; `where` names its field, items of a list by the name of the list."""
    if isinstance(value, str):
        return change(value, where)
    if isinstance(value, list):
        return [texts(item, change, where) for item in value]
    if isinstance(value, dict):
        return {key: texts(item, change, f"{where}.{key}") for key, item in value.items()}
    return value
