"""Near-duplicates: what was hardly changed is found, and what only shares an instruction or a word is not."""

import random
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tabled import pair, tabled

from caif.data import Preference
from caif.mixture.groups import connected
from caif.mixture.near import near_duplicates, signatures
from caif.mixture.words import runs, words

VOCABULARY = [f"word{n}" for n in range(2000)]
texts = st.lists(st.lists(st.sampled_from("abc"), max_size=6).map(" ".join), min_size=1, max_size=5)


def some_text(rng: random.Random, size: int) -> str:
    return " ".join(rng.choices(VOCABULARY, k=size))


def changed(rng: random.Random, text: str) -> str:
    """Return the text with one word replaced, capitals, and a comma."""
    several = text.split()
    several[rng.randrange(len(several))] = "other"
    return " ".join(several).capitalize() + ","


def found(rows: list[Preference], alike: float = 0.7) -> set[tuple[int, int]]:
    """Return the links between rows."""
    one, other = near_duplicates(tabled(rows, Preference), np.arange(len(rows)), alike)
    return {(min(a, b), max(a, b)) for a, b in zip(one.tolist(), other.tolist(), strict=True)}


@settings(max_examples=50, deadline=None)
@given(texts, st.integers(1, 4))
def test_runs_are_equal_where_their_words_are(rows: list[str], size: int) -> None:
    """Against plain Python: each row's set of runs, and which runs two rows share."""
    made = runs(words(pa.array(rows, pa.large_string())), size)
    parts = np.split(made.hashes, made.start[1:-1])

    def plain(text: str) -> set[tuple[str, ...]]:
        several = text.split()
        many = max(len(several) - size + 1, 1 if several else 0)
        return {tuple(several[n : n + size]) for n in range(many)}

    assert [len(set(part.tolist())) for part in parts] == [len(plain(text)) for text in rows]
    for a, b in combinations(range(len(rows)), 2):
        assert len(set(parts[a].tolist()) & set(parts[b].tolist())) == len(plain(rows[a]) & plain(rows[b]))


def test_case_punctuation_and_spaces_do_not_count_and_every_script_has_words() -> None:
    """A character is a word where no spaces are written; a sign is one, a comma is not."""
    one = words(
        pa.array(["Don't  panic, friend!", "dont panic FRIEND", "我爱你", "a 👍 b", "...", ""], pa.large_string())
    )
    assert one.counts.tolist() == [3, 3, 3, 3, 0, 0]
    assert one.hashes[:3].tolist() == one.hashes[3:6].tolist()


def test_equal_hashes_estimate_the_share_of_common_runs() -> None:
    """Within the error that 64 hashes have, for likenesses from none to all."""
    rng = random.Random(0)
    base = some_text(rng, 200).split()
    for shared in (0, 50, 100, 150, 200):
        both = [" ".join(base), " ".join(base[:shared] + some_text(rng, 200 - shared).split())]
        made = runs(words(pa.array(both, pa.large_string())), 3)
        first, second = (set(part.tolist()) for part in np.split(made.hashes, made.start[1:-1]))
        signed = signatures(made)
        assert np.mean(signed[0] == signed[1]) == pytest.approx(len(first & second) / len(first | second), abs=0.19)


def test_planted_near_duplicates_are_found_and_others_are_not() -> None:
    """At least 95 % of 200 among 1,000 comparisons, chosen and rejected in either place; under 1 % false."""
    rng = random.Random(1)
    rows = [pair(some_text(rng, 40), some_text(rng, 30), some_text(rng, 15)) for _ in range(800)]
    for n in range(200):
        row = rows[n]
        a, b = (changed(rng, text) for text in (row.chosen, row.rejected))
        rows.append(pair(b, a, row.prompt.text.upper()) if n % 2 else pair(a, b, row.prompt))
    links = found(rows)
    planted = {(n, 800 + n) for n in range(200)}
    assert len(links & planted) >= 190
    assert len(links - planted) <= 2


def test_a_long_common_prompt_or_a_common_answer_alone_makes_no_near_duplicate() -> None:
    """Other answers to one instruction, and the same short answers to other questions, are other comparisons."""
    rng = random.Random(2)
    instruction = some_text(rng, 400)
    rows = [pair(some_text(rng, 10), some_text(rng, 10), f"{instruction} {n}") for n in range(40)]
    rows += [pair("Yes.", "No.", some_text(rng, 12)) for _ in range(40)]
    rows += [pair("👍", "👎", "good?"), pair("...", "!!!", "good?"), pair("?", "--", "good?")]
    assert found(rows) == set()


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2), max_size=15))
    )
)
def test_what_is_linked_hangs_together(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    """Against a search through all links: everything gets the least number that it can reach."""
    size, links = drawn
    reach = [{n} for n in range(size)]
    for _ in range(size):
        for a, b in links:
            both = reach[a] | reach[b]
            for n in both:
                reach[n] = reach[n] | both
    one, other = (np.array([link[n] for link in links], dtype=np.int64) for n in (0, 1))
    assert connected(size, one, other).tolist() == [min(some) for some in reach]
