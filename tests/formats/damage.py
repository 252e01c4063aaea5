"""Rows with values of any type where they should not be."""

from typing import Any

from hypothesis import strategies as st

WORDS = st.sampled_from(
    ["user", "assistant", "prompter", "m1", "m2", "\n\nHuman: a\n\nAssistant: b", "", "\ud800", "1"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS
VALUES = LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(WORDS, LEAVES, max_size=2)


def damage(row: Any, data: st.DataObject) -> None:
    """Go down at random and put any value where the way ends."""
    here = row
    while here:
        key = (
            data.draw(st.sampled_from(sorted(here)))
            if isinstance(here, dict)
            else data.draw(st.integers(0, len(here) - 1))
        )
        below = here[key]
        if not below or not isinstance(below, (dict, list)) or data.draw(st.integers(0, 3)) == 0:
            here[key] = data.draw(VALUES)
            return
        here = below
