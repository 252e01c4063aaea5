"""Thumbs become pairs without loss or invention, and order changes nothing (METHODS 4.7)."""

import random
from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tabled import listed, tabled, thumb

from caif.data import Origin, Preference, Prompt, Rating
from caif.mixture import thumbs as made
from caif.mixture.thumbs import DERIVED

PROMPTS = [Prompt.of(f"q{n}") for n in range(3)]
weights = st.sampled_from([1.0, 0.5, 0.1, 0.2, 0.3, 2.0, 0.0])
thumbs = st.lists(
    st.builds(
        Rating, prompt=st.sampled_from(PROMPTS), completion=st.sampled_from("abcd"), up=st.booleans(), weight=weights,
        objective=st.sampled_from(["honesty", "brevity"]), source=st.sampled_from(["s", "t"]), rater=st.sampled_from("123"),
    ),
    max_size=20, unique_by=lambda row: row.id,
)  # fmt: skip


def pair_thumbs(ratings: list[Rating], limit: int = 1000) -> tuple[list[Preference], list[Rating]]:
    """Return the pairs as rows, and the thumbs that stay thumbs."""
    found = made.pair_thumbs(tabled(ratings, Rating), limit)
    return listed(found.pairs), [row for row, used in zip(ratings, found.used, strict=True) if not used]


def ids(rows: list[Preference] | list[Rating]) -> set[str]:
    return {row.id for row in rows}


@given(thumbs)
def test_every_thumb_is_in_a_pair_or_comes_back(ratings: list[Rating]) -> None:
    """Nothing is lost: a thumb that is not returned stands on an answer of some pair of its prompt and objective."""
    pairs, rest = pair_thumbs(ratings)
    said = {(p.prompt.id, p.objective, text) for p in pairs for text in (p.chosen, p.rejected)}
    for rating in ratings:
        used = (rating.prompt.id, rating.objective, rating.completion) in said
        assert used == (rating.id not in ids(rest))
    assert ids(rest) <= ids(ratings)
    assert len(rest) == len(ids(rest))


@given(thumbs)
def test_no_pair_is_invented(ratings: list[Rating]) -> None:
    """Each pair is of two answers to one prompt under one objective, the chosen one liked on balance, the other disliked."""
    pairs, _ = pair_thumbs(ratings)

    def balance(p: Preference, text: str) -> float:
        some = [r for r in ratings if (r.prompt.id, r.objective, r.completion) == (p.prompt.id, p.objective, text)]
        return sum(r.weight if r.up else -r.weight for r in some)

    assert len({(p.prompt.id, p.objective, p.chosen, p.rejected) for p in pairs}) == len(pairs)
    for p in pairs:
        assert p.chosen != p.rejected
        assert balance(p, p.chosen) > 1e-9
        assert balance(p, p.rejected) < -1e-9
        assert p.rater == DERIVED


@given(thumbs, st.randoms())
def test_the_order_of_thumbs_changes_nothing(ratings: list[Rating], chance: random.Random) -> None:
    """The same votes in another order are the same pairs, to the last bit of their weights."""
    shuffled = ratings.copy()
    chance.shuffle(shuffled)
    (pairs, rest), (pairs2, rest2) = pair_thumbs(ratings), pair_thumbs(shuffled)
    assert ids(pairs) == ids(pairs2)
    assert ids(rest) == ids(rest2)


def test_weights_do_not_depend_on_the_order_of_votes() -> None:
    """0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1 to a computer; the pair's weight, and so its id, is the same all the same."""
    votes = [thumb("a", True, weight=weight, rater=str(weight)) for weight in (0.1, 0.2, 0.3)]
    found = {pair_thumbs([*order, thumb("b", False)])[0][0].id for order in permutations(votes)}
    assert len(found) == 1


@given(thumbs)
def test_pairs_of_a_prompt_weigh_no_more_than_its_thumbs(ratings: list[Rating]) -> None:
    """Six pairs of five thumbs are no six opinions."""
    pairs, rest = pair_thumbs(ratings)
    assert sum(p.weight for p in pairs) <= sum(r.weight for r in ratings if r.id not in ids(rest)) + 1e-9


@pytest.mark.parametrize("up", [True, False])
def test_thumbs_that_all_point_one_way_give_no_pair(up: bool) -> None:
    """RELIABILITY 26: two liked answers are not ranked."""
    ratings = [thumb(text, up) for text in "abc"]
    assert pair_thumbs(ratings) == ([], ratings)


def test_contradictory_thumbs_on_one_answer_give_no_pair() -> None:
    """RELIABILITY 26: as many up as down is neither, and 0.1 + 0.2 against 0.3 is as many."""
    ratings = [thumb("a", True, rater="1"), thumb("a", False, rater="2"), thumb("b", False, rater="1")]
    assert pair_thumbs(ratings) == ([], ratings)
    even = [
        thumb("a", True, weight=0.1),
        thumb("a", True, weight=0.2),
        thumb("a", False, weight=0.3),
        thumb("b", False),
    ]
    assert pair_thumbs(even) == ([], even)


def test_answers_to_different_prompts_are_never_paired() -> None:
    """METHODS 4.7: nor under different objectives."""
    apart = [thumb("a", True, PROMPTS[0]), thumb("b", False, PROMPTS[1])]
    assert pair_thumbs(apart) == ([], apart)
    other = [thumb("a", True, objective="honesty"), thumb("b", False, objective="brevity")]
    assert pair_thumbs(other) == ([], other)


def test_a_pair_of_thumbs_says_where_it_comes_from() -> None:
    """Both sources on the pair; the weaker thumb is its weight."""
    ((row,), rest) = pair_thumbs([thumb("good", True, source="b", weight=0.5), thumb("bad", False, source="a")])
    assert (row.chosen, row.rejected, row.source, row.weight, row.probability, rest) == (
        "good",
        "bad",
        "a+b",
        0.5,
        1.0,
        [],
    )


def test_many_answers_to_one_prompt_make_no_square_of_pairs() -> None:
    """Of 60 liked and 40 disliked answers to "hi" 16 pairs are made, no answer in two; with room for all, all are."""
    ratings = [thumb(f"a{n}", n < 60, "hi") for n in range(100)]
    pairs, rest = pair_thumbs(ratings, limit=16)
    assert len(pairs) == 16
    assert max(Counter(text for p in pairs for text in (p.chosen, p.rejected)).values()) == 1
    assert {p.weight for p in pairs} == {1.0}
    assert len(rest) == 100 - 32
    pairs, rest = pair_thumbs(ratings, limit=10_000)
    assert len({(p.chosen, p.rejected) for p in pairs}) == 60 * 40
    assert rest == []


def test_a_pair_says_when_and_in_which_conversation_its_thumbs_were_given() -> None:
    """The last of them; and no conversation where they come from several."""
    votes = [
        thumb("a", True, origin=Origin(at=5.0, conversation="c")),
        thumb("b", False, origin=Origin(at=3.0, conversation="c")),
    ]
    assert pair_thumbs(votes)[0][0].origin == Origin(at=5.0, conversation="c")
    votes.append(thumb("b", False, rater="r", origin=Origin(at=9.0, conversation="d")))
    assert pair_thumbs(votes)[0][0].origin == Origin(at=9.0)


def test_every_pair_is_linked_with_the_thumbs_it_was_made_of() -> None:
    """All votes on either answer, and no others."""
    ratings = [thumb("a", True, rater="1"), thumb("a", True, rater="2"), thumb("b", False), thumb("c", True, "another")]
    found = made.pair_thumbs(tabled(ratings, Rating), 16)
    assert sorted(zip(*(numbers.tolist() for numbers in found.links), strict=True)) == [(0, 0), (0, 1), (0, 2)]
