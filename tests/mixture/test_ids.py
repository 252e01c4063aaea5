"""Ids and draws of columns are those that the rows themselves have, whatever their texts and numbers are."""

from json.encoder import encode_basestring

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tabled import pair, thumb

from caif.content import Row, held_out
from caif.data import Message, Preference, Prompt, Rating, Rejected
from caif.mixture import splitting
from caif.mixture.ids import ids, prompt_ids, quoted
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


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(TEXTS, max_size=3), min_size=1, max_size=4), st.integers(0, 2))
def test_a_column_of_conversations_has_the_ids_of_the_prompts(talks: list[list[str]], skipped: int) -> None:
    """Also where the column is a part of a longer one, whose texts stand elsewhere in memory."""
    prompts = [
        Prompt(
            messages=(*(Message(role="system", content=text) for text in talk), Message(role="user", content="why?"))
        )
        for talk in talks
    ]
    table = pa.Table.from_pylist([prompt.model_dump(mode="json") for prompt in prompts], schema_of(Prompt))
    column = table["messages"].combine_chunks().slice(skipped)
    assert prompt_ids(column).to_pylist() == [prompt.id for prompt in prompts[skipped:]]


def test_every_sign_is_written_as_json_writes_it() -> None:
    """Each alone and all together, so that no escape is escaped again; of a slice only its own texts."""
    signs = [chr(n) for n in range(256)]
    texts = [*signs, "".join(signs), '\\n\n\\"', "", "\u2028\U0001f600"]
    for kind in (pa.string(), pa.large_string()):
        assert quoted(pa.array(texts, kind)).to_pylist() == [encode_basestring(text) for text in texts]
        assert quoted(pa.array(texts, kind)[250:]).to_pylist() == [encode_basestring(text) for text in texts[250:]]


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=4), st.floats(0, 1), st.integers(0, 9))
def test_openings_are_drawn_in_columns_as_one_by_one(openings: list[str], share: float, seed: int) -> None:
    """What `caif prompts` holds out and what combining does agree about every conversation."""
    found = splitting.held_out(pa.array(openings, pa.large_string()), share, "combine", seed)
    assert found.tolist() == [held_out(opening, share, "combine", seed) for opening in openings]
