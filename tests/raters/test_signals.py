"""Signals: each rule fires on what it is for and not on its harmless twin."""

import math
from itertools import islice, product
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caif.data import Origin, Preference, Prompt
from caif.raters.rows import weighed
from caif.raters.signals import Cast, signals

WEEK = 7 * 86400.0


def cast(*raters: list[tuple[float, float, str]]) -> list[tuple[str, ...]]:
    """Return the signals of raters given as lists of (time, up, prompt)."""
    rows = [(n, *row) for n, some in enumerate(raters) for row in some]
    who, at, up, prompt = (list(column) for column in zip(*rows, strict=True))
    return signals(Cast(np.array(who), np.array(at, dtype=float), np.array(up, dtype=float), prompt), len(raters))


def calm(n: int = 40) -> list[tuple[float, float, str]]:
    """Return an hour between votes, three of four up, every prompt another."""
    draw = Random(0)
    return [(3600.0 * k, float(k % 4 > 0), " ".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=6))) for k in range(n)]


def test_a_calm_rater_has_no_signals() -> None:
    assert cast(calm()) == [()]


def test_too_many_votes_in_a_minute() -> None:
    """Twenty in twenty seconds are told, twenty in as many minutes not."""
    quick, slow = ([(step * k, row[1], row[2]) for k, row in enumerate(calm(20))] for step in (1.0, 60.0))
    assert cast(quick, slow) == [("20 votes in a minute",), ()]


def test_all_one_way_is_told_where_chance_would_not() -> None:
    """All down among people who mostly say up; not after three votes, and not where everybody says up."""
    downs = [(at, 0.0, text) for at, _, text in calm(12)]
    assert cast(calm(), downs, downs[:3]) == [(), ("all 12 thumbs down",), ()]
    ups = [(at, 1.0, text) for at, _, text in calm(12)]
    assert cast(ups, ups, ups) == [(), (), ()]


def test_the_same_question_over_and_over() -> None:
    """Numbers and case differ; answers to one prompt are one prompt."""
    same = [(3600.0 * k, k % 2, f"Please write me a poem about the number {k} and the SEA") for k in range(10)]
    assert cast(same) == [("9 of 10 prompts near-duplicates",)]
    assert cast([(at, up, "One prompt of many words, asked once") for at, up, _ in same]) == [()]


def test_a_burst_is_told_beside_a_long_time() -> None:
    """Fifteen votes within an hour, in data of a month; not where the data is an hour long itself."""
    at_once = [(WEEK + 120.0 * k, row[1], row[2]) for k, row in enumerate(calm(15))]
    month = [(10 * WEEK / 40 * k, up, text) for k, (_, up, text) in enumerate(calm())]
    assert cast(month, at_once) == [(), ("15 of 15 votes within an hour",)]
    assert cast(at_once) == [()]


@given(
    st.lists(
        st.tuples(st.sampled_from([math.nan, 0.0, 1e9]), st.sampled_from([math.nan, 0.0, 1.0]), st.text()), max_size=40
    )
)
def test_nothing_makes_it_fail(rows: list[tuple[float, float, str]]) -> None:
    """Times and sides may be unknown and texts anything."""
    who = np.zeros(len(rows), dtype=int)
    found = signals(Cast(who, np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), [r[2] for r in rows]), 1)
    assert len(found) == 1


@pytest.mark.parametrize("raters", [0, 3])
def test_who_cast_nothing_has_no_signals(raters: int) -> None:
    empty = np.zeros(0)
    assert signals(Cast(empty.astype(int), empty, empty, []), raters) == [()] * raters


@pytest.mark.parametrize(("rater", "found"), [("ann", ("30 votes in a minute",)), ("", ())])
def test_nobodys_labels_are_not_one_persons(rater: str, found: tuple[str, ...]) -> None:
    """Thirty pairs in as many seconds: too fast for one person, and nothing to say of a source that names nobody."""
    pairs = [
        Preference(
            prompt=Prompt.of(f"What is {word} good for?"), chosen="It floats.", rejected="It sinks.", probability=1.0,
            objective="honesty", source="people", rater=rater, origin=Origin(at=1.7e9 + n),
        )
        for n, word in enumerate("".join(letters) for letters in islice(product("abcdefgh", repeat=2), 30))
    ]  # fmt: skip
    (row,) = weighed(pairs, [], []).raters
    assert row.signals == found
