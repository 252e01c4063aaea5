"""Ids of columns are the ids that the rows themselves have, whatever their texts and numbers are."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tabled import pair, thumb

from caif.content import Row
from caif.data import Preference, Rating, Rejected
from caif.mixture.ids import ids
from caif.tables import schema_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
SHARES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 1e-7, 0.1 + 0.2, 5e-324]))


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS, SHARES, st.floats(0, 1e300), st.booleans())
def test_a_column_of_rows_has_the_ids_of_the_rows(one: str, other: str, share: float, weight: float, up: bool) -> None:
    """Quotes, control characters, per cent signs and braces in texts; numbers that JSON writes in other ways."""
    found: dict[type[Row], list[Row]] = {
        Preference: [
            pair(one, other, probability=share, weight=weight, rater=one),
            pair(other, "%s{}\u2028", rater=""),
        ],
        Rating: [thumb(one, up, correction=other, weight=weight), thumb("y", not up, reason=one)],
        Rejected: [Rejected(where=one, reason=other), Rejected(where="", reason="", detail=one)],
    }
    for kind, rows in found.items():
        table = pa.Table.from_pylist([row.model_dump(mode="json") for row in rows], schema_of(kind))
        assert ids(kind, table).to_pylist() == [row.id for row in rows]


@pytest.mark.parametrize("kind", [Preference, Rating, Rejected])
def test_no_rows_have_no_ids(kind: type[Row]) -> None:
    """An empty column is not a column of one empty value."""
    assert ids(kind, schema_of(kind).empty_table()).to_pylist() == []
    assert ids(kind, pa.RecordBatch.from_pylist([], schema=schema_of(kind))).to_pylist() == []
