"""Each disagreement between people and a judge is sorted by the first rule that holds; agreement is none."""

from typing import Any

import pytest

from caif.data import Comparison, Judgement, Origin, Preference, Prompt, Rating
from caif.raters.disagreements import OFF, UNCLEAR, UNSTABLE, disagreements
from caif.raters.rows import weighed
from caif.raters.votes import RaterRow

PROMPTS = [Prompt.of(f"What is number {n}?") for n in range(20)]


def judged(prompt: Prompt = PROMPTS[0], p: float | None = 0.9, **fields: Any) -> Judgement:
    about: dict[str, Any] = {
        "comparison": Comparison(prompt=prompt, a="one", b="two"), "principle": "kind", "objective": "harmlessness",
        "judge": "j", "mass": 0.9, "flipped": False, "p_a": p,
        "verdict": "not_applicable" if p is None else "tie" if p == 0.5 else "a" if p > 0.5 else "b",
    }  # fmt: skip
    return Judgement(**about | fields)


def pair(better: str = "two", prompt: Prompt = PROMPTS[0], rater: str = "r1", **fields: Any) -> Preference:
    about: dict[str, Any] = {
        "prompt": prompt, "chosen": better, "rejected": "one" if better == "two" else "two", "probability": 1.0,
        "objective": "harmlessness", "source": "people", "rater": rater,
    }  # fmt: skip
    return Preference(**about | fields)


def row(rater: str = "r1", **fields: Any) -> RaterRow:
    about: dict[str, Any] = {
        "rater": rater, "kind": "pairs", "source": "people", "votes": 30, "up": None, "agreement": 0.9, "compared": 30,
        "slope": 2.0, "low": 1.0, "high": 3.0, "troll": 0.0, "leniency": 0.0, "spam": 0.05, "trust": 0.8, "weight": 24.0,
    }  # fmt: skip
    return RaterRow(**about | fields)


@pytest.mark.parametrize(
    ("judgements", "rater", "kind", "why"),
    [
        ([judged()], row(troll=0.9), OFF, "votes against"),
        ([judged()], row(trust=0.05), OFF, "hardly more than chance"),
        ([judged()], row(trust=0.05, compared=3), UNCLEAR, "sure"),
        ([judged(flipped=True)], row(), UNSTABLE, "two orders"),
        ([judged(mass=0.2)], row(), UNSTABLE, "0.20 of its probability"),
        ([judged(p=0.55)], row(), UNSTABLE, "near one half: 0.55"),
        ([judged(), judged(p=0.2, judge="k")], row(), UNSTABLE, "another judge"),
        ([judged(p=None)], row(), UNCLEAR, "does not apply"),
        ([judged(p=0.5)], row(), UNCLEAR, "prefers neither"),
        ([judged(), judged(p=0.1, principle="polite")], row(), UNCLEAR, "polite, of the same objective"),
        ([judged()], row(), UNCLEAR, "the judge is sure"),
        ([judged(flipped=True)], row(troll=0.9), OFF, "votes against"),
    ],
)
def test_the_first_rule_that_holds_sorts(judgements: list[Judgement], rater: RaterRow, kind: str, why: str) -> None:
    """A rater who is off comes before a judge that is unstable, and that before the constitution."""
    found = next(one for one in disagreements(judgements, [pair()], [], [rater]) if one.principle == "kind")
    assert [one.kind for one in found.found] == [kind]
    assert why in found.found[0].why
    assert found.found[0].better == "two"


def test_who_agrees_differs_in_nothing() -> None:
    """Agreement is compared and not found; failures, other objectives and ties among people are not compared."""
    same = disagreements([judged(p=0.1)], [pair()], [], [])
    assert [(one.compared, one.found) for one in same] == [(1, [])]
    failed = Judgement.model_validate(judged(p=None).model_dump(exclude={"id"}) | {"verdict": "invalid"})
    assert disagreements([failed], [pair()], [], []) == []
    assert disagreements([judged(objective="helpfulness")], [pair()], [], []) == []
    assert disagreements([judged()], [pair(), pair("one", rater="r2")], [], []) == []


def test_one_good_rater_is_enough_to_take_it_seriously() -> None:
    """Two say so, one of them off: it is not put on the rater."""
    (found,) = disagreements([judged()], [pair(), pair(rater="r2")], [], [row(troll=0.9), row("r2")])
    assert [(one.kind, one.people) for one in found.found] == [(UNCLEAR, 2)]


def test_thumbs_speak_where_nobody_compared() -> None:
    """Up on one answer and down on the other is a word on both; a pair on the same answers goes before it."""

    def thumb(text: str, *, up: bool) -> Rating:
        return Rating(prompt=PROMPTS[0], completion=text, up=up, objective="harmlessness", source="thumbs", rater="t")

    thumbs = [thumb("two", up=True), thumb("one", up=False)]
    (found,) = disagreements([judged()], [], thumbs, [])
    assert [(one.better, one.people) for one in found.found] == [("two", 1)]
    (found,) = disagreements([judged()], [pair("one")], thumbs, [])
    assert found.found == []


def test_a_rater_is_found_off_from_the_rows_alone() -> None:
    """Four people vote on everything, one of them against the others: what that one alone says is put on the rater."""
    pairs = [pair("one", p, f"r{n}", origin=Origin(order="first")) for p in PROMPTS[1:] for n in range(3)]
    pairs += [pair("two", p, "troll") for p in PROMPTS]
    judgements = [judged(p) for p in PROMPTS]
    raters = weighed(pairs, judgements, []).raters
    (found,) = disagreements(judgements, pairs, [], raters)
    assert (found.compared, [one.kind for one in found.found]) == (20, [OFF])
    troll = next(one for one in raters if one.rater == "troll")
    assert (troll.slope < 0, troll.votes, troll.trust) == (True, 20, 0.0)
    assert next(one for one in raters if one.rater == "r0").up == 1.0
