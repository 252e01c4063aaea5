"""Principles are dealt one after the other by weight, and an edit moves no draw but those it is about."""

from collections import Counter
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caif.constitution import Constitution, Principle
from caif.data import Prompt


def principle(name: str, **fields: Any) -> Principle:
    asked = {"critique": "Is it true?", "revision": "Make it true.", "compare": "Which is truer?"}
    return Principle(id=name, objective="honesty", **asked | fields)


def law(*principles: Principle) -> Constitution:
    return Constitution(name="law", objectives={"honesty": "True."}, principles=principles)


def dealt(constitution: Constitution, prompt: str, *seeds: object) -> list[str]:
    return [p.id for p in constitution.order(Prompt.of(prompt), *seeds)]


@given(st.text(min_size=1).filter(str.strip), st.integers())
def test_each_principle_that_applies_is_dealt_once(text: str, seed: int) -> None:
    """Without replacement: no principle twice, none left out, none of weight 0, and the first is what `draw` gives."""
    constitution = law(*map(principle, "abcde"), principle("never", weight=0), principle("other", applies_to=("tag",)))
    assert sorted(dealt(constitution, text, seed)) == list("abcde")
    assert constitution.draw(Prompt.of(text), seed).id == dealt(constitution, text, seed)[0]  # type: ignore[union-attr]


def test_the_order_is_that_of_drawing_by_weight_without_replacement() -> None:
    """All six orders of three principles, against the closed form: w1/W * w2/(W - w1)."""
    weights = {"a": 1.0, "b": 2.0, "c": 5.0}
    constitution = law(*(principle(name, weight=weight) for name, weight in weights.items()))
    n = 6000
    seen = Counter("".join(dealt(constitution, f"q{k}")) for k in range(n))
    for first, second, third in permutations("abc"):
        share = weights[first] / 8 * weights[second] / (8 - weights[first])
        assert abs(seen[first + second + third] - n * share) <= 4 * (n * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("field", ["critique", "revision", "compare", "instruct", "oppose"])
def test_no_draw_moves_when_a_principle_is_worded_anew(field: str) -> None:
    """So only the rows of that principle are asked again after an edit of it."""
    before = law(*map(principle, "abcd"))
    after = law(principle("a"), principle("b", **{field: "In other words"}), principle("c"), principle("d"))
    assert all(dealt(before, f"q{n}", 3) == dealt(after, f"q{n}", 3) for n in range(100))


def test_a_principle_that_comes_or_goes_leaves_the_others_in_their_order() -> None:
    """Only draws that the new one wins are other draws; so it is with another weight, and where a file is sorted anew."""
    four, five = law(*map(principle, "abcd")), law(*map(principle, "eabcd"))
    heavier = law(*map(principle, "dcb"), principle("a", weight=9))
    for n in range(200):
        straight = dealt(four, f"q{n}")
        assert [p for p in dealt(five, f"q{n}") if p != "e"] == straight
        assert [p for p in dealt(heavier, f"q{n}") if p != "a"] == [p for p in straight if p != "a"]
    moved = [n for n in range(200) if dealt(four, f"q{n}")[0] != dealt(five, f"q{n}")[0]]
    assert 20 <= len(moved) <= 60  # a fifth of them, give or take 3.5 standard deviations


def test_the_smallest_and_the_largest_weight_are_dealt() -> None:
    """No weight that a file may have leaves the range of numbers."""
    constitution = law(principle("a", weight=1e-300), principle("b", weight=1e6))
    assert {tuple(dealt(constitution, f"q{n}")) for n in range(50)} == {("b", "a")}
