"""Labels as they leave: pairs and thumbs as plain values, read batch by batch, the id of every row checked."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from caif.content import Row
from caif.data import Preference, Rating
from caif.errors import CaifError
from caif.mixture.fused import FUSED
from caif.mixture.reading import checked, upright
from caif.mixture.thumbs import DERIVED
from caif.store import Artifact
from caif.tables import BROKEN, schema_of, table_name

Talk = list[dict[str, str]]
ABOUT: dict[type[Row], tuple[str, ...]] = {
    Preference: ("id", "probability", "weight", "objective", "principle", "source", "rater"),
    Rating: ("id", "weight", "objective", "source", "rater", "reason", "correction"),
}
"""What is told of a label beside its texts; how it came about, its `Origin`, follows."""
PERSONAL = {"rater": "", "raw": "", "conversation": ""}
"""What may tell who gave a label."""
DAY = 86400.0
"""Seconds to which times are told where raters are not: a product's log knows who was there in a given second."""


class Unfit(Exception):
    """A label that a tool cannot take, or would take for something else; the message is a phrase that can be counted."""


class Pair(NamedTuple):
    """Two answers, the likelier one first; `place` says how many of its split stand before it."""

    prompt: Talk
    chosen: str
    rejected: str
    about: dict[str, Any]
    split: str
    place: int


class Thumb(NamedTuple):
    """One answer and whether it was good."""

    prompt: Talk
    completion: str
    up: bool
    about: dict[str, Any]


def stored(artifact: Artifact, kind: type[Row]) -> Iterator[dict[str, Any]]:
    """Yield an artifact's rows of one kind as they are stored, a preference with its likelier answer as the chosen one."""
    file = artifact.folder / f"{table_name(kind)}.parquet"
    found, written = 0, artifact.counts.get(table_name(kind), 0)
    for batch in checked(file, kind) if file.is_file() else ():
        found += batch.num_rows
        yield from (upright(batch) if kind is Preference else batch).to_pylist()
    if found != written:
        raise CaifError(f"{file}: holds {found} rows where {written} were written", BROKEN)


def about(row: Mapping[str, Any], kind: type[Row], *, raters: bool) -> dict[str, Any]:
    """Return what is told of a label. Unless `raters` are wanted, who gave it is left out and when becomes its day.

    A judge or a rule stays.
    """
    told: dict[str, Any] = {name: row[name] for name in ABOUT[kind]} | row["origin"]
    if raters:
        return told
    day = None if told["at"] is None else told["at"] - told["at"] % DAY
    return told | PERSONAL | {"at": day} | ({} if by_person(row) else {"rater": row["rater"]})


def by_person(row: Mapping[str, Any]) -> bool:
    """Whether a person may have given a label. What a judge or a rule gave says under which wording of a principle."""
    return not row["origin"]["law"] and row["rater"] not in (DERIVED, FUSED)


def about_fields(kind: type[Row]) -> list[Any]:
    """Return the Arrow fields of `about`."""
    schema = schema_of(kind)
    return [*(schema.field(name) for name in ABOUT[kind]), *schema.field("origin").type]


def answer(text: str) -> dict[str, str]:
    """Return a text as what the assistant says."""
    return {"role": "assistant", "content": text}
