"""People's comparisons as a feedback source, from an export of any registered format."""

from pathlib import Path
from typing import Any

from caif.data import Preference
from caif.hookspecs import FeedbackSource
from caif.sources.thumbs import USUAL, imported


def pairs(
    path: Path,
    format: str = "caif",
    objective: str = USUAL,
    weight: float = 1.0,
    reader: dict[str, Any] | None = None,
) -> FeedbackSource:
    """Take the pairs of an export. `reader` holds further options of the format, such as `ranks` for oasst.

    `objective` is for rows that name none; the weight of every row is multiplied by `weight`.
    """
    return imported(Preference, path, format, {"objective": objective, **(reader or {})}, weight=weight)
