"""What is written for LLaMA-Factory and for axolotl is read back by caif's own readers of their files, text for text."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from test_round_trip import LABELS, of, pairs, quick, through

from caif.data import Preference, Rating
from caif.formats.axolotl import axolotl
from caif.formats.llama_factory import llama_factory


@quick
@given(LABELS)
def test_llama_factory_gives_the_same_texts_and_labels(rows: list[Any]) -> None:
    """Pairs and thumbs, with the system message and the turns before."""
    said = through(rows, "llama-factory", "preference/train.jsonl", llama_factory())
    assert [(row.prompt, row.chosen, row.rejected) for row in said] == [
        (row.prompt, row.chosen, row.rejected) for row in of(Preference, rows)
    ]
    rated = through(rows, "llama-factory", "unpaired/train.jsonl", llama_factory())
    assert [(row.prompt, row.completion, row.up) for row in rated] == [
        (row.prompt, row.completion, row.up) for row in of(Rating, rows)
    ]


@quick
@given(st.lists(pairs(), min_size=1, max_size=4))
def test_axolotl_gives_the_same_pairs(rows: list[Preference]) -> None:
    """It has no form for thumbs."""
    found = through(rows, "axolotl", "preference/train.jsonl", axolotl())
    assert [(row.prompt, row.chosen, row.rejected) for row in found] == [(r.prompt, r.chosen, r.rejected) for r in rows]
