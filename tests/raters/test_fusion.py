"""Fused labels against what is true: better than the best single source, and better for knowing a source's bias."""

from typing import NamedTuple

import numpy as np
import pytest
from crowds import as_pairs, as_thumbs, crowd, nobody, trolls

from caif.raters.votes import Fused, Items, Thumbs, Votes, fuse


class World(NamedTuple):
    """Comparisons with a known better answer, and three who judge them: two people and a judge that likes length."""

    truth: np.ndarray
    votes: Votes
    items: Items
    p: dict[str, np.ndarray]


def world(seed: int, items: int = 500, slope: float = 2.0, bias: float = 2.0) -> World:
    """Return all three's labels of everything: people right 90 % and 60 % of the time, the judge swayed by length."""
    draw = np.random.default_rng(seed)
    truth, length = draw.integers(0, 2, items), draw.normal(size=items)
    people = {
        name: np.where(draw.random(items) < skill, truth, 1 - truth) for name, skill in (("90", 0.9), ("60", 0.6))
    }
    lean = slope * (2 * truth - 1) + bias * length + draw.logistic(size=items)
    judge = 1 / (1 + np.exp(-lean / 2))
    said = [people["90"], people["60"], judge]
    votes = Votes(
        np.tile(np.arange(items), 3), np.repeat([0, 1, 2], items), np.repeat([0, 0, 1], items),
        np.concatenate(said).astype(float), np.ones(3 * items), np.zeros(3 * items, dtype=int), ("90", "60", "judge|good"),
        ("people", "ai"), frozenset({"people"}),
    )  # fmt: skip
    ends = np.arange(items)
    return World(
        truth,
        votes,
        Items(2 * ends, 2 * ends + 1, length[:, None]),
        dict(zip(("90", "60", "judge"), said, strict=True)),
    )


def accuracy(truth: np.ndarray, p: np.ndarray) -> float:
    return float(np.mean((p > 0.5) == (truth == 1)))


def log_loss(truth: np.ndarray, p: np.ndarray) -> float:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-np.mean(np.where(truth == 1, np.log(p), np.log(1 - p))))


def best_loss(truth: np.ndarray, said: np.ndarray) -> float:
    """Return the log-loss of a rater's sides when their true share of right ones is known to us."""
    right = accuracy(truth, said)
    return log_loss(truth, np.where(said > 0.5, right, 1 - right))


def gain(differences: list[float]) -> float:
    """Return the mean of paired differences in standard errors."""
    return float(np.mean(differences) / (np.std(differences, ddof=1) / np.sqrt(len(differences))))


SEEDS = 20


@pytest.fixture(scope="module")
def worlds() -> list[tuple[World, Fused, Fused]]:
    made = [world(seed) for seed in range(SEEDS)]
    return [
        (w, fuse(w.votes, w.items), fuse(w.votes, w.items._replace(features=np.zeros((len(w.truth), 0))))) for w in made
    ]


def test_fused_labels_beat_the_best_single_source(worlds: list[tuple[World, Fused, Fused]]) -> None:
    """One rater of 90 %, one of 60 %, one biased judge; 20 seeds, paired: more right, and a smaller log-loss."""
    right = [
        accuracy(w.truth, found.p) - max(accuracy(w.truth, said) for said in w.p.values()) for w, found, _ in worlds
    ]
    loss = [
        min(best_loss(w.truth, said) for said in w.p.values()) - log_loss(w.truth, found.p) for w, found, _ in worlds
    ]
    assert np.mean(right) > 0.01
    assert gain(right) > 5
    assert gain(loss) > 5


def test_a_bias_term_beats_pooling_without(worlds: list[tuple[World, Fused, Fused]]) -> None:
    """The same labels with nothing known of length; and their plain mean is worse than the better person alone (METHODS 4.4)."""
    right = [accuracy(w.truth, known.p) - accuracy(w.truth, blind.p) for w, known, blind in worlds]
    loss = [log_loss(w.truth, blind.p) - log_loss(w.truth, known.p) for w, known, blind in worlds]
    assert gain(right) > 5
    assert gain(loss) > 5
    plain = [sum(w.p.values()) / 3 for w, _, _ in worlds]
    assert (
        gain([accuracy(w.truth, w.p["90"]) - accuracy(w.truth, p) for (w, _, _), p in zip(worlds, plain, strict=True)])
        > 5
    )


def test_the_judge_helps_people(worlds: list[tuple[World, Fused, Fused]]) -> None:
    """With its bias taken off, a judge that is right less often than the better person still adds to what both people say."""
    better = []
    for w, found, _ in worlds:
        theirs = w.votes.source == 0
        alone = fuse(Votes(*(column[theirs] for column in w.votes[:6]), *w.votes[6:]), w.items)
        better.append(accuracy(w.truth, found.p) - accuracy(w.truth, alone.p))
    assert gain(better) > 5


def test_the_bias_and_the_raters_are_found(worlds: list[tuple[World, Fused, Fused]]) -> None:
    """The judge's length bias has its sign, people's is none by definition, and the better rater is trusted more."""
    for _, found, _ in worlds:
        people, ai = found.sources
        assert (people.people, people.bias) == (True, (0.0,))
        assert ai.bias[0] > 0.5
        slope = {row.rater: row.slope for row in found.raters}
        assert slope["90"] > slope["60"]


def test_probabilities_are_calibrated() -> None:
    """Of what is said to be 80 % likely, 80 % is true: pooled over seeds, in five bins."""
    ps, truths = [], []
    for seed in range(SEEDS):
        made = crowd(seed, [0.9, 0.8, 0.7, 0.6, 0.6], each=3)
        ps.append(fuse(*as_pairs(made)).p)
        truths.append(made.truth)
    p, truth = np.concatenate(ps), np.concatenate(truths)
    for low in np.arange(0, 1, 0.2):
        inside = (p >= low) & (p < low + 0.2)
        assert abs(p[inside].mean() - truth[inside].mean()) < 0.05


@pytest.mark.parametrize("seed", range(3))
def test_trolls_are_found_and_read_in_reverse(seed: int) -> None:
    """With 40 % of raters against the truth, each is known for what they are, and the truth is found all the same."""
    made = crowd(seed, trolls(seed))
    found = fuse(*as_pairs(made))
    for row in found.raters:
        bad = made.skill[int(row.rater[1:])] < 0.5
        assert (row.troll > 0.95) == bad
        assert (row.high < 0) == bad
        assert row.trust == 0 if bad else row.trust > 0.3
    majority = np.bincount(made.item, made.label) / np.bincount(made.item)
    assert accuracy(made.truth, found.p) > max(0.95, accuracy(made.truth, majority) + 0.1)


def test_thumbs_alone_find_trolls_too() -> None:
    """Answers that stand in no comparison are judged by several people, most of them leniently."""
    made = crowd(1, trolls(1), truth=0.7)
    nothing = Items(*(np.zeros(0, dtype=int),) * 2, np.zeros((0, 0)))
    found = fuse(nobody(), nothing, as_thumbs(made))
    assert len(found.p) == 0
    for row in found.raters:
        assert (row.troll > 0.5) == (made.skill[int(row.rater[1:])] < 0.5)
        assert row.kind == "thumbs"


def test_thumbs_bear_on_the_comparisons_of_their_answers() -> None:
    """Up on a and down on b speaks for a, by as much as the rater is worth."""
    made = crowd(2, [0.9] * 6, items=200, each=4)
    votes, items = as_pairs(made)
    extra = Items(np.append(items.a, 1000), np.append(items.b, 1001), np.zeros((201, 0)))
    thumbs = Thumbs(
        np.array([1000, 1001, *items.a, *items.b]), np.zeros(402, dtype=int), np.zeros(402, dtype=int),
        np.array([True, False, *(made.truth == 1), *(made.truth == 0)]), np.ones(402), ("r0",), ("thumbs",),
    )  # fmt: skip
    before, after = fuse(votes, extra), fuse(votes, extra, thumbs)
    assert before.p[200] == pytest.approx(0.5)
    assert before.weight[200] == 0
    assert after.p[200] > 0.9
    assert after.weight[200] > 0.5
