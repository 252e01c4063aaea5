"""Rows by hand, as columns and back."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from caif.content import Row
from caif.data import Preference, Prompt, Rating
from caif.mixture.reading import upright
from caif.mixture.rows import Rows, of_table
from caif.tables import schema_of

Q = Prompt.of("What is rain?")


def tabled(rows: Sequence[Row], kind: type[Row]) -> Rows:
    """Return rows as columns."""
    return of_table(kind, pa.Table.from_pylist([row.model_dump(mode="json") for row in rows], schema_of(kind)))


def listed(rows: Rows) -> list[Any]:
    """Return the rows that are in as they are written, checked as they are read from disk, with the weights they have now."""
    table = rows.table.filter(pa.array(rows.kept)).cast(schema_of(rows.kind))
    batches = [upright(batch) if rows.kind is Preference else batch for batch in table.to_batches()]
    found = [rows.kind.model_validate(row) for batch in batches for row in batch.to_pylist()]
    return [row.but(weight=float(weight)) for row, weight in zip(found, rows.weight[rows.kept], strict=True)]


def pair(chosen: str = "x", rejected: str = "y", prompt: Prompt | str = Q, **fields: Any) -> Preference:
    """Return a preference."""
    about = {"probability": 0.8, "objective": "o", "source": "ai"} | fields
    asked = Prompt.of(prompt) if isinstance(prompt, str) else prompt
    return Preference(prompt=asked, chosen=chosen, rejected=rejected, **about)


def thumb(completion: str, up: bool, prompt: Prompt | str = Q, **fields: Any) -> Rating:
    """Return a thumb."""
    about = {"objective": "o", "source": "people"} | fields
    asked = Prompt.of(prompt) if isinstance(prompt, str) else prompt
    return Rating(prompt=asked, completion=completion, up=up, **about)
