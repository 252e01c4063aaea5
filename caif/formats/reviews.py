"""The votes of `caif review`: JSON lines, one vote a line. Such a file only grows; what is taken back is said so later.

`vote` says what a line is: `pair` (with `chosen`, `rejected`, `probability`), `thumb` (with `completion`, `up`), `tie`,
`both_bad` or `skip` (with `answers`, as they were shown), or `undo`, which takes back the vote named by `of`. A vote that
was taken back, one on a gold item, whose answer was known before, and one that names no better answer are not labels:
they are counted. A comment becomes the reason of a thumb; one on a pair stays in the file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from caif.data import Origin, Preference, Rating, Rejected
from caif.formats.caif_rows import LATEST
from caif.formats.fields import Unusable, conversation, each, known_keys, number, prompt_of, required, text
from caif.formats.jsonl import Line, lines
from caif.hookspecs import Reader

ALL = (
    "vote", "id", "item", "rater", "at", "seconds", "objective", "prompt", "audit", "why", "gold", "comment",
)  # fmt: skip
OWN = {
    "pair": ("chosen", "rejected", "probability", "order"),
    "thumb": ("completion", "up"),
    "tie": ("answers",),
    "both_bad": ("answers",),
    "skip": ("answers",),
    "undo": ("of",),
}
"""The keys that each kind of line has beside those of all."""
SILENT = {"tie": "tie", "both_bad": "both bad", "skip": "skipped"}


def reviews(objective: str = "helpfulness") -> Reader:
    """Read the votes of a review. `objective` is for votes that name none."""

    def read(path: Path) -> Iterator[Rating | Preference | Rejected]:
        gone = void(path)

        def make(line: Line) -> Iterator[Rating | Preference]:
            yield from _label(line, objective, gone)

        return each(lines(path), make)

    return read


def void(path: Path) -> dict[str, str]:
    """Return the votes of a file that no longer count, and why: taken back, or followed by another on the same item.

    What is said of an item for one objective does not unsay what was said for another.
    """
    gone: dict[str, str] = {}
    last: dict[tuple[str, ...], str] = {}
    for line in lines(path):
        if isinstance(line, Rejected):
            continue
        if line.row.get("vote") == "undo":
            gone[str(line.row.get("of"))] = "taken back"
            continue
        vote, about = str(line.row.get("id")), tuple(str(line.row.get(key)) for key in ("rater", "item", "objective"))
        if (before := last.get(about, vote)) != vote:
            gone.setdefault(before, "voted again")
        last[about] = vote
    return gone


def _label(line: Line, objective: str, gone: dict[str, str]) -> Iterator[Rating | Preference]:
    row, kind = line.row, required(line.row, "vote")
    if not isinstance(kind, str) or kind not in OWN:
        raise Unusable("unknown kind of vote", f"{kind!r:.40}")
    known_keys(row, (*ALL, *OWN[kind]))
    if kind == "undo":
        return
    if why := gone.get(text(row, "id")):
        raise Unusable(why)
    if text(row, "gold", ""):
        raise Unusable("gold item")
    if kind in SILENT:
        raise Unusable(SILENT[kind])
    yield _pair(line, objective) if kind == "pair" else _thumb(line, objective)


def _pair(line: Line, objective: str) -> Preference:
    row, order = line.row, text(line.row, "order", "")
    if order not in ("", "first", "second"):
        raise Unusable("unknown order", f"{order!r:.40}")
    chosen, rejected = text(row, "chosen"), text(row, "rejected")
    if chosen == rejected:
        raise Unusable("identical answers")
    return Preference(
        prompt=prompt_of(conversation(required(row, "prompt"))),
        chosen=chosen,
        rejected=rejected,
        probability=number(row, "probability", 1.0, 1.0),
        objective=text(row, "objective", objective),
        rater=text(row, "rater", ""),
        origin=Origin(**_origin(line), order=order),  # type: ignore[arg-type]
    )


def _thumb(line: Line, objective: str) -> Rating:
    row = line.row
    if not isinstance(up := required(row, "up"), bool):
        raise Unusable("ambiguous polarity", "up must be true or false")
    return Rating(
        prompt=prompt_of(conversation(required(row, "prompt"))),
        completion=text(row, "completion"),
        up=up,
        objective=text(row, "objective", objective),
        rater=text(row, "rater", ""),
        reason=text(row, "comment", ""),
        origin=Origin(**_origin(line)),
    )


def _origin(line: Line) -> dict[str, Any]:
    at = None if line.row.get("at") is None else number(line.row, "at", 0.0, LATEST)
    return {"raw": line.where, "at": at}
