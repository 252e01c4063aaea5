"""People's thumbs as a feedback source, from an export of any registered format."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from caif.data import Preference, Rating, Rejected
from caif.errors import CaifError
from caif.formats.fields import MAX_WEIGHT, at_least_one
from caif.formats.recognise import hinted
from caif.hookspecs import FeedbackContext, FeedbackSource

R = TypeVar("R", Rating, Preference)
OTHERWISE = {Rating: "not a thumb", Preference: "not a pair"}
USUAL = "helpfulness"
"""What rows that name no objective are about, unless the run file says otherwise."""


def thumbs(
    path: Path,
    format: str = "caif",
    objective: str = USUAL,
    weight: float = 1.0,
    reader: dict[str, Any] | None = None,
) -> FeedbackSource:
    """Take the thumbs of an export. `reader` holds further options of the format, such as `salt` for open-webui.

    `objective` is for rows that name none; the weight of every row is multiplied by `weight`.
    """
    return imported(Rating, path, format, {"objective": objective, **(reader or {})}, weight=weight)


def imported(kind: type[R], path: Path, format: str, options: Mapping[str, Any], *, weight: float) -> FeedbackSource:
    """Return the source that takes rows of one kind from an export and turns the others away, as counted.

    An objective that the run file names and no row takes over, since each names its own, is an error.
    """
    if not 0 <= weight <= MAX_WEIGHT:  # which refuses NaN too
        raise CaifError(f"weight must be a number in [0, {MAX_WEIGHT:g}], not {weight}", "1 leaves rows as they are")

    def rows(context: FeedbackContext) -> Iterator[R | Rejected]:
        named: set[str] = set()
        for row in context.read(format, path, **options):
            if isinstance(row, kind):
                named.add(row.objective)
                yield row.but(source=context.source, weight=row.weight * weight)
            elif isinstance(row, Rejected):
                yield row
            else:
                yield Rejected(where=path.name, reason=OTHERWISE[kind], detail=f"{type(row).__name__} {row.id}")
        if (wanted := options.get("objective", USUAL)) != USUAL and named and wanted not in named:
            what = f"{path}: every row names its own objective ({', '.join(sorted(named))}), none is about {wanted!r}"
            raise CaifError(what, "leave objective out, or change it in the rows")

    return lambda context: hinted(at_least_one(rows(context), path, "feedback"), path, format)
