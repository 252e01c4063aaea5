"""Rows that were turned away, as they go into the quarantine file: where, why, and the row itself with people hidden.

The product's own ids of chats, messages and records stay as they are: by them a row is found again and mended.
"""

import json
import math
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

from caif.data import Rejected
from caif.errors import CaifError
from caif.feedback.personal import masked
from caif.formats.jsonl import Line, raw_lines
from caif.formats.rows import any_rows, begin
from caif.formats.unpacking import opened
from caif.text import whole

WHO = re.compile(r"user|author|annotator|rater|completed_?by|mail|phone|address|^ip$", re.IGNORECASE)
"""Keys under which products keep who someone is."""
LOOSE = re.compile(
    r'("[^"]{0,60}(?:user|author|annotator|rater|mail|phone|address)[^"]{0,60}"\s{0,9}:\s{0,9})("(?:[^"\\]|\\.)*"?|\d+)',
    re.IGNORECASE,
)
"""The same where a row is no JSON. Both sides are bounded, so that a long row made for it does not take long."""
HIDDEN = "<hidden>"
SHOWN = 4000
"""Characters of a row that is no JSON."""
PLACE = re.compile(r"^(.*):(\[?)(\d+)\]?$", re.DOTALL)


class Raw:
    """The rows of a file as they stand in it, for whoever comes for them in the order of the file."""

    def __init__(self, path: Path) -> None:
        self._name, self._rows = path.name, _rows(path)
        self._number: float = 0
        self._row: Any = None

    def at(self, where: str) -> Any:
        """Return the row at a place; None if it is not to be had: in another file, behind us, or no row at all."""
        place = PLACE.match(where)
        if place is None or place[1] != self._name:
            return None
        while self._number < int(place[3]):
            self._number, self._row = next(self._rows, (math.inf, None))
        return self._row if self._number == int(place[3]) else None

    def close(self) -> None:
        """Close the file."""
        self._rows.close()


def _rows(path: Path) -> Generator[tuple[int, Any], None, None]:
    if not path.is_file():
        return
    try:
        if begin(path)[:1] == b"{":
            with opened(path) as handle:
                yield from ((n, raw and raw.decode("utf-8", "replace")) for n, raw in enumerate(raw_lines(handle), 1))
        else:
            for item in any_rows(path):
                place = PLACE.match(item.where)
                yield int(place[3]) if place else 0, item.row if isinstance(item, Line) else None
    except CaifError:  # the reader itself says what is wrong with the file
        return


def quarantined(row: Rejected, raw: Raw) -> dict[str, Any]:
    """Return what is kept of a row that was turned away: file, line (or record of an array), reason, and the row."""
    place = PLACE.match(row.where)
    where = {"file": place[1], "record" if place[2] else "line": int(place[3])} if place else {"file": row.where}
    return {**where, "reason": row.reason, "detail": masked(whole(row.detail)), "row": _shown(raw.at(row.where))}


def _shown(row: Any) -> Any:
    try:
        return hidden(json.loads(row) if isinstance(row, str) else row)
    except (ValueError, RecursionError):
        if not isinstance(row, str):
            return None
        # Half a JSON text: an escaped line break must not hide what stands behind it.
        return masked(LOOSE.sub(rf'\1"{HIDDEN}"', whole(row.strip()).replace("\\n", "\n")))[:SHOWN]


def hidden(value: Any, key: str = "") -> Any:
    """Return a JSON value with texts masked, and nothing under a key that says who somebody is."""
    if isinstance(value, dict):
        return {whole(str(name)): hidden(item, str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [hidden(item, key) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if WHO.search(key):
        return HIDDEN
    if isinstance(value, str):
        return masked(whole(value))
    return value if isinstance(value, (int, float)) and math.isfinite(value) else str(value)
