"""What is asked and in which order: each pair once, the useful first, and an audit that nothing of this can bend."""

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from questions import pair, thumb

from caif.data import Comparison, Completion, Judgement, Preference, Prompt, Rating
from caif.review.items import (
    Item,
    Opinion,
    compared,
    gold,
    item,
    opinions,
    ordered,
    pairs,
    signals,
    thumbs,
    usefulness,
    with_gold,
    woven,
)

ASKED = Prompt.of("why?")
AB = Comparison(prompt=ASKED, a="because", b="just so")


def said(p: float, judge: str = "j", principle: str = "p", **more: bool) -> tuple[Opinion, float]:
    return Opinion(AB, p, judge, principle, **more), p


items = st.lists(st.integers(0, 300), unique=True, max_size=80).flatmap(
    lambda numbers: st.lists(
        st.tuples(st.booleans(), st.floats(0.01, 1.0)), min_size=len(numbers), max_size=len(numbers)
    ).map(
        lambda more: [
            pair(n, labelled=labelled, signals={"order flips": weight})
            for n, (labelled, weight) in zip(numbers, more, strict=True)
        ]
    )
)


@given(items, st.sampled_from(["unlabelled", "useful"]), st.floats(0, 1), st.integers(0, 5))
def test_every_item_is_asked_once(found: list[Item], order: str, audit: float, seed: int) -> None:
    """Ordering loses nothing, invents nothing, and does not depend on the order it is given."""
    asked = ordered(found, order, audit, seed)  # type: ignore[arg-type]
    assert sorted(one.id for one in asked) == sorted(one.id for one in found)
    assert ordered(found[::-1], order, audit, seed) == asked  # type: ignore[arg-type]


@given(items, st.floats(0, 1), st.integers(0, 5))
def test_neither_usefulness_nor_labels_bend_the_audit(found: list[Item], audit: float, seed: int) -> None:
    """The items of the audit and their order are the same whatever is known of them, so they stand for all items."""
    bare = [one._replace(signals={}, labelled=False) for one in found]

    def drawn(asked: list[Item]) -> list[str]:
        return [one.id for one in asked if one.audit]

    wanted = drawn(ordered(bare, "unlabelled", audit, seed))
    assert drawn(ordered(found, "useful", audit, seed)) == wanted
    assert drawn(ordered(found, "unlabelled", audit, seed)) == wanted


@given(items)
def test_beside_the_audit_the_unlabelled_come_first_and_of_them_the_useful(found: list[Item]) -> None:
    """Falling usefulness within what nobody has labelled, then within what somebody has."""
    rest = [one for one in ordered(found, "useful", 0.2, 0) if not one.audit]
    keys = [(one.labelled, -usefulness(one)) for one in rest]
    assert keys == sorted(keys)


def test_an_estimate_on_the_audit_is_unbiased_where_one_on_the_first_items_is_not() -> None:
    """Over many draws the mean usefulness of the audit is that of all; that of the first items is far above it."""
    found = [pair(n, signals={"order flips": (n % 10 + 1) / 10}) for n in range(300)]
    audit, first = [], []
    for seed in range(40):
        asked = ordered(found, "useful", 0.2, seed)[:100]
        audit += [usefulness(one) for one in asked if one.audit]
        first += [usefulness(one) for one in asked if not one.audit]
    assert fmean(audit) == pytest.approx(0.55, abs=0.03)
    assert fmean(first) > 0.8


@given(st.integers(1, 40), st.integers(1, 200), st.floats(0.05, 0.5))
def test_weaving_spreads_the_few_evenly(few: int, many: int, share: float) -> None:
    """Each list keeps its order, and any beginning holds about the share, until one of them is used up."""
    some, others = [thumb(n) for n in range(few)], [thumb(1000 + n) for n in range(many)]
    woven_all = woven(some, others, share)
    ids = {one.id for one in some}
    assert [one for one in woven_all if one.id in ids] == some
    assert [one for one in woven_all if one.id not in ids] == others
    whole = int(min(few / share, many / (1 - share)))
    for n in range(1, whole):
        assert abs(sum(one.id in ids for one in woven_all[:n]) - n * share) <= 2


def test_what_makes_a_pair_useful() -> None:
    """Each signal by itself: flips, judges of one principle apart, principles apart or overruled, and p near one half."""
    assert signals([]) == {}
    assert signals([said(1.0)]) == {}
    assert set(signals([said(1.0, flipped=True)])) == {"order flips"}
    assert set(signals([said(1.0, "j"), said(0.0, "k")])) == {"judges disagree", "judges undecided"}
    assert set(signals([said(1.0, "j", "p"), said(0.0, "j", "q")])) == {"principles conflict", "judges undecided"}
    assert set(signals([said(1.0, overruled=True)])) == {"principles conflict"}
    assert signals([said(0.75)]) == {"judges undecided": 0.5}
    assert signals([said(0.5)]) == {"judges undecided": 1.0}


def test_a_pair_is_the_same_in_either_order() -> None:
    """Judgements of both orders speak of one item, and their mean is of its first answer."""
    found = pairs([AB], [said(0.9)[0], Opinion(AB.swap(), 0.3, "k", "p")], [])
    assert [one.answers for one in found] == [("because", "just so")]
    assert found[0].leaning == pytest.approx((0.9 + 0.7) / 2)


def test_where_judges_lean_is_by_the_objective_that_is_asked_about() -> None:
    """What they said for another objective makes the pair useful all the same."""
    of = [Opinion(AB, 0.9, "j", "p", objective="honesty"), Opinion(AB, 0.2, "j", "q", objective="brevity")]
    assert [pairs([AB], of, [], name)[0].leaning for name in ("honesty", "brevity", "taste")] == [0.9, 0.2, None]
    assert "principles conflict" in pairs([AB], of, [], "honesty")[0].signals


def test_pairs_that_hold_no_choice_are_not_asked() -> None:
    """Identical or empty answers, and samples that failed."""
    same = Comparison(prompt=ASKED, a="x", b="x")
    empty = Comparison(prompt=ASKED, a="x", b=" ")
    assert pairs([same, empty], [], []) == []
    failed = [Completion(prompt=ASKED, text=t, model="m", sample=n, finish=f)  # type: ignore[arg-type]
              for n, (t, f) in enumerate([("a", "stop"), ("a", "stop"), ("b", "refused"), ("c", "length")])]  # fmt: skip
    assert [(c.a, c.b) for c in compared(failed)] == [("a", "c")]


def test_a_judgement_without_a_verdict_says_nothing() -> None:
    """A failure is no opinion."""
    failed = Judgement(comparison=AB, principle="p", objective="o", verdict="refused", judge="j")
    told = Judgement(comparison=AB, principle="p", objective="o", verdict="a", judge="j", p_a=0.8, flipped=True,
                     resolution="overruled by q")  # fmt: skip
    assert opinions([failed, told]) == [Opinion(AB, 0.8, "j", "p", flipped=True, overruled=True, objective="o")]


def test_people_who_spoke_are_known() -> None:
    """Of pairs by pairs in either order, of answers by thumbs."""
    row = Preference(prompt=ASKED, chosen="just so", rejected="because", probability=1.0, objective="o")
    assert [one.labelled for one in pairs([AB], [], [row])] == [True]
    up = Rating(prompt=ASKED, completion="because", up=True, objective="o")
    asked = pairs([AB], [said(0.5)[0]], [])
    found = thumbs([(ASKED, "because")], asked, [up])
    assert [(one.answers, one.labelled) for one in found] == [(("because",), True), (("just so",), False)]
    assert all(one.signals == {"judges undecided": 1.0} for one in found)


def test_gold_items_know_their_answer_and_are_asked_as_gold_alone() -> None:
    """Ties are no gold; of a pair with p below one half the other answer is right."""
    rows = [
        Preference(prompt=ASKED, chosen="because", rejected="just so", probability=0.2, objective="o"),
        Preference(prompt=ASKED, chosen="x", rejected="y", probability=0.5, objective="o"),
        Rating(prompt=ASKED, completion="x", up=False, objective="o"),
    ]
    known = gold(rows, thumb=False)
    assert [(one.answers, one.known) for one in known] == [(("because", "just so"), "just so")]
    assert [one.known for one in gold(rows, thumb=True)] == ["down"]
    asked = with_gold([item(ASKED, "just so", "because"), pair(1)], known, 0.5, 0)
    assert sorted(one.known for one in asked) == ["", "just so"]
