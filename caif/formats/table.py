"""Feedback in a table of your own: CSV with a header, JSON lines, a JSON array or Parquet, or a folder of such files.

`map` says which column is what, `up` and `down` which ratings are thumbs in which direction: 0 is down in one product
and a draw in another, so a rating that neither list names is turned away.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from caif.data import Preference, Prompt, Rating, Rejected
from caif.errors import CaifError, nearest
from caif.formats.fields import Unusable, because, conversation, each, hashed, kind, origin, pair, prompt_of, text
from caif.formats.jsonl import Line
from caif.formats.polarity import Marks, Polarity, polarity
from caif.formats.rows import any_rows
from caif.hookspecs import Reader

PAIR = ("chosen", "rejected")
COLUMNS = ("prompt", "response", "rating", *PAIR, "rater", "reason", "correction", "at", "conversation")


def table(
    map: dict[str, str], up: Marks = (), down: Marks = (), objective: str = "helpfulness", salt: str = "caif"
) -> Reader:
    """Read thumbs by `map = {prompt = "…", response = "…", rating = "…"}`, or pairs by prompt, chosen and rejected.

    Columns for rater, reason, correction, at and conversation may be named too. Where a row of JSON holds objects and
    lists, dots lead into them: `metadata.rating`, `choices.0.message.content`. A correction is the answer the person
    wanted instead; without a rating it stands for a thumb down. Raters and conversations are kept as salted hashes.
    """
    marks = _checked(map, up, down)

    def make(line: Line) -> Iterator[Rating | Preference]:
        row = {field: _under(line.row, column) for field, column in map.items()}
        prompt = prompt_of(conversation(row["prompt"]))
        rater = hashed("user", row.get("rater"), salt)
        origins = origin(line, at=row.get("at"), conversation=hashed("chat", row.get("conversation"), salt))
        if "chosen" in map:
            chosen, rejected = pair(text(row, "chosen"), text(row, "rejected"))
            yield Preference(
                prompt=prompt, chosen=chosen, rejected=rejected, probability=1.0, objective=objective, rater=rater,
                origin=origins,
            )  # fmt: skip
        else:
            yield _thumb(row, prompt, marks, objective=objective, rater=rater, origin=origins)

    def read(path: Path) -> Iterator[Rating | Preference | Rejected]:
        for file in _files(path):
            yield from each(any_rows(file, sorted(set(map.values()))), make)

    return read


def _under(row: Mapping[str, Any], column: str) -> Any:
    """Return what stands in a column, or where its dots lead to; None if they lead nowhere."""
    if column in row:
        return row[column]
    here: Any = row
    for name in column.split("."):
        if isinstance(here, list) and name.isdecimal():
            here = dict(enumerate(here)).get(int(name[:9]))
        else:
            here = here.get(name) if isinstance(here, Mapping) else None
    return here


def _thumb(row: Mapping[str, Any], prompt: Prompt, marks: Polarity | None, **more: Any) -> Rating:
    correction = text(row, "correction", "")
    given = row.get("rating")
    if given is not None and not isinstance(given, (str, int, float)):
        raise Unusable("ambiguous polarity", f"rating is {kind(given)}")
    up = marks.thumb(given) if marks and given not in (None, "") else None
    if up is None and not correction.strip():
        raise Unusable("no rating")
    return Rating(
        prompt=prompt,
        completion=text(row, "response"),
        up=bool(up),
        reason=because(row.get("reason")),
        correction=correction,
        **more,
    )


def _checked(map: Mapping[str, str], up: Marks, down: Marks) -> Polarity | None:
    """Return the polarity of the ratings, None where there are none; refuse a map that makes no rows."""
    for field in map:
        if field not in COLUMNS:
            turned = f'the field stands on the left: {map[field]} = "{field}"' if map[field] in COLUMNS else ""
            what = f"map has {field!r} on its left, which is no field of a thumb or pair"
            raise CaifError(what, turned or nearest(field, COLUMNS))
    pairs, thumbs = all(field in map for field in PAIR), "response" in map and ("rating" in map or "correction" in map)
    if "prompt" not in map or pairs == thumbs:
        raise CaifError(
            "map makes neither thumbs nor pairs", "name prompt, response and rating, or prompt, chosen and rejected"
        )
    if "rating" in map:
        return polarity(up, down)
    if up or down:
        raise CaifError("up and down are told, but not which column is the rating", 'add rating = "…" to map')
    return None


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(item for item in path.iterdir() if item.is_file() and not item.name.startswith("."))
    if not files:
        raise CaifError(f"{path}: is empty", "put tables in it")
    return files
