"""What the model promises of single labels: symmetry, leaving out, caps, echoes and shrinkage."""

import numpy as np
import pytest
from crowds import as_pairs, crowd, nobody
from hypothesis import given, settings
from hypothesis import strategies as st

from caif.raters.labels import problem, scaled
from caif.raters.likelihood import Voices, from_people, read
from caif.raters.model import fit
from caif.raters.regression import Held, step
from caif.raters.votes import Items, Thumbs, Votes, fuse


@given(seed=st.integers(0, 999))
@settings(max_examples=15, deadline=None)
def test_turning_all_comparisons_around_turns_the_answer_around(seed: int) -> None:
    """Which answer is called a is arbitrary, so nothing may depend on it; the order in which they were shown turns too."""
    draw = np.random.default_rng(seed)
    made = crowd(seed, [0.9, 0.7, 0.6], items=30, each=2)
    votes, items = as_pairs(made, draw.integers(-1, 2, len(made.item)))
    turned = fuse(votes._replace(p=1 - votes.p, order=-votes.order), Items(items.b, items.a, -items.features))
    found = fuse(votes, items)
    assert np.allclose(found.p, 1 - turned.p, atol=1e-9)
    assert np.allclose(found.weight, turned.weight, atol=1e-9)


@given(seed=st.integers(0, 999))
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_means_nothing(seed: int) -> None:
    """The same labels in any order give the same numbers."""
    votes, items = as_pairs(crowd(seed, [0.9, 0.7, 0.4], items=30, each=2))
    order = np.random.default_rng(seed).permutation(len(votes.item))
    shuffled = Votes(*(column[order] for column in votes[:6]), *votes[6:])
    one, other = fuse(votes, items), fuse(shuffled, items)
    assert np.allclose(one.p, other.p, atol=1e-6)
    assert [row.rater for row in one.raters] == [row.rater for row in other.raters]


def test_evidence_is_bayes_rule_in_logs() -> None:
    """By hand: a voice that says 1 with 0.9 (0.1 spam of one half) under either truth."""
    votes, items = as_pairs(crowd(0, [0.9], items=2, each=1))
    task = problem(votes._replace(p=np.array([1.0, 0.0]), weight=np.array([1.0, 2.0])), items, None)
    voices = Voices(np.array([2.0]), np.array([0.0]), np.array([0.1]), np.zeros((1, 0)))
    right = 0.9 / (1 + np.exp(-2.0)) + 0.05
    assert np.allclose(np.exp(read(task.people, voices).logs), [[right, 1 - right], [1 - right, right]])
    assert np.allclose(from_people(task.people, voices), np.log(right / (1 - right)) * np.array([1, -2]))


def test_the_derivatives_are_those_of_the_log_likelihood() -> None:
    """By central differences, with leniency, order and spam."""
    draw = np.random.default_rng(0)
    votes, items = as_pairs(crowd(0, [0.9, 0.6], items=20, each=2), draw.integers(-1, 2, 40))
    labels = problem(votes, items, None).people
    voices = Voices(np.array([2.0, 0.5]), np.array([0.3, -0.2]), np.array([0.1, 0.02]), np.zeros((1, 0)))
    change = [read(labels, voices._replace(slope=voices.slope + move)).logs for move in (1e-5, -1e-5)]
    assert np.allclose((change[0] - change[1]) / 2e-5, read(labels, voices).error * [[1], [-1]], atol=1e-8)


def test_em_ends_where_no_slope_can_be_bettered() -> None:
    """The posterior falls whichever slope is moved a little either way."""
    made = crowd(3, [0.9, 0.8, 0.7, 0.3], items=300, each=3)
    task = problem(*as_pairs(made), None)
    found = fit(task)

    def posterior(slope: np.ndarray) -> float:
        logs = [
            np.bincount(task.people.item, one, 300)
            for one in read(task.people, found.voices._replace(slope=slope)).logs
        ]
        return float(np.logaddexp(logs[0], logs[1]).sum() - (((slope - slope.mean()) / 1.5) ** 2).sum() / 2)

    for n in range(4):
        for move in (-0.5, 0.5):
            assert posterior(found.voices.slope + move * (np.arange(4) == n)) < posterior(found.voices.slope)


def test_judges_are_weighed_as_a_dense_regression_would() -> None:
    """One step by conjugate gradients is the Newton step of the matrix written out, biases and leniencies too."""
    draw, n = np.random.default_rng(1), 60
    votes = Votes(
        np.tile(np.arange(n), 3), np.repeat([0, 1, 2], n), np.repeat([0, 0, 1], n), draw.random(3 * n), np.ones(3 * n),
        draw.integers(-1, 2, 3 * n), ("j|1", "j|2", "k|1"), ("j", "k"),
    )  # fmt: skip
    labels = problem(votes, Items(np.arange(n), n + np.arange(n), draw.normal(size=(n, 2))), None).judges
    voices = Voices(
        np.array([1.0, 0.5, 2.0]), np.array([0.1, 0.0, -0.3]), np.zeros(3), np.array([[0.2, 0.0], [-0.1, 0.4]])
    )
    truth, held = draw.random(n), Held(voices._replace(slope=np.ones(3)), (1.5, 1.0), 5.0)
    matrix = np.zeros((n, 10))
    np.add.at(matrix, (labels.item, labels.voice), labels.weight * labels.said)
    np.add.at(matrix, (labels.item, 3 + labels.voice), -labels.weight * labels.lean)
    for k in range(2):
        np.add.at(matrix, (labels.item, 6 + 2 * labels.source + k), -labels.weight * labels.features[:, k])
    at = np.concatenate([voices.slope, voices.leniency, voices.bias.ravel()])
    share = 1 / (1 + np.exp(-matrix @ at))
    curve = (matrix.T * (share * (1 - share))) @ matrix + np.diag(held.pull)
    wanted = at + np.linalg.solve(curve, matrix.T @ (truth - share) - held.pull * (at - held.at))
    found = step(labels, voices, truth, held)
    assert np.allclose(np.concatenate([found.slope, found.leniency, found.bias.ravel()]), wanted, atol=1e-3)


def test_no_label_vouches_for_itself() -> None:
    """A rater whom nobody else can confirm has no agreement, and is trusted as a stranger is, however often they vote."""
    made = crowd(0, [0.95, 0.95, 0.5], items=300, each=1)
    found = fuse(*as_pairs(made))
    assert {row.agreement for row in found.raters} == {None}
    assert {row.compared for row in found.raters} == {0}
    assert {round(row.trust, 6) for row in found.raters} == {0.5}


def test_agreement_is_leave_one_out_by_hand() -> None:
    """Two raters who always contradict each other agree with nobody: counting their own word they would agree by half."""
    n = 40
    votes = Votes(
        np.tile(np.arange(n), 2), np.repeat([0, 1], n), np.zeros(2 * n, dtype=int),
        np.concatenate([np.arange(n) % 2, 1 - np.arange(n) % 2]).astype(float), np.ones(2 * n), np.zeros(2 * n, dtype=int),
        ("one", "other"), ("people",), frozenset({"people"}),
    )  # fmt: skip
    found = fuse(votes, Items(np.arange(n), n + np.arange(n), np.zeros((n, 0))))
    assert max(row.agreement or 0 for row in found.raters) <= 0.5
    assert np.allclose(found.p, 0.5, atol=1e-3)


def test_a_rater_with_few_votes_does_not_swing() -> None:
    """One vote against five moves nobody's slope far: it stays near what is usual, with an interval that says so."""
    made = crowd(4, [0.9] * 5, items=200, each=5)
    votes, items = as_pairs(made)
    odd = Votes(
        np.append(votes.item, 0), np.append(votes.rater, 5), np.append(votes.source, 0), np.append(votes.p, 1 - made.truth[0]),
        np.append(votes.weight, 1), np.append(votes.order, 0), (*votes.raters, "newcomer"), *votes[7:],
    )  # fmt: skip
    row = next(row for row in fuse(odd, items).raters if row.rater == "newcomer")
    assert row.low < 0 < row.high
    assert row.troll < 0.5


def test_repeating_oneself_counts_once() -> None:
    """Ten times the same vote is one vote, and a rater who said both has said nothing."""
    made = crowd(6, [0.8] * 4, items=100, each=3)
    votes, items = as_pairs(made)
    tenfold = Votes(*(np.concatenate([column, np.repeat(column[:1], 9)]) for column in votes[:6]), *votes[6:])
    assert np.allclose(fuse(tenfold, items).p, fuse(votes, items).p, atol=1e-6)
    first = votes.item == 0
    alone = Votes(*(column[~first] for column in votes[:6]), *votes[6:])
    both = [np.append(column, [value, value]) for column, value in zip(alone[:6], (0, 0, 0, 1, 1, 0), strict=True)]
    both[3][-1] = 0
    assert fuse(Votes(*both, *votes[6:]), items).p[0] == pytest.approx(0.5, abs=1e-6)


def test_a_second_rater_who_likes_everything_makes_nobody_surer() -> None:
    """Thumbs up on both answers are one person's and say nothing: two who spoke are not three who agree."""
    n, items = 200, np.arange(200)
    votes = Votes(
        items, 0 * items, 0 * items, np.ones(n), np.ones(n), 0 * items, ("ann",), ("people",), frozenset({"people"})
    )
    pairs = Items(2 * items, 2 * items + 1, np.zeros((n, 0)))
    both = np.arange(2 * n)
    liked = Thumbs(both, 0 * both, 0 * both, np.ones(2 * n, dtype=bool), np.ones(2 * n), ("bob",), ("people",))
    assert fuse(votes, pairs, liked).p == pytest.approx(fuse(votes, pairs).p, abs=0.02)


def test_a_cap_bounds_what_one_rater_weighs() -> None:
    """A busy rater's votes weigh the cap together; others' stay as they are."""
    made = crowd(7, [0.8, 0.8], items=100, each=2)
    votes, items = as_pairs(made)
    half = votes._replace(rater=np.where(votes.item < 95, votes.rater, 1))
    capped = problem(half, items, None, cap=20.0).people
    weight = np.bincount(capped.voice, capped.share)
    assert weight == pytest.approx([20.0, 20.0])


@pytest.mark.parametrize("clamped", [False, True])
def test_a_judges_scale_means_nothing(clamped: bool) -> None:
    """A clamp or a temperature moves all of a judge's numbers alike: what they are worth is measured, not believed."""
    made = crowd(8, [0.9, 0.75], items=300, each=2)
    votes, items = as_pairs(made)
    ai = votes._replace(
        source=votes.rater, sources=("people", "ai"), p=np.where(votes.rater == 1, 0.5 + 0.4 * (votes.p - 0.5), votes.p)
    )
    plain = ai._replace(p=votes.p)
    assert np.allclose(fuse(ai if clamped else plain, items).p, fuse(plain, items).p, atol=1e-6)


@pytest.mark.parametrize("certain", [False, True])
def test_one_judge_under_ten_principles_is_not_ten_judges(certain: bool) -> None:
    """Ten labels that are one opinion repeated do not outvote one person who is right more often, however sure they are."""
    draw, n = np.random.default_rng(9), 400
    truth = draw.integers(0, 2, n)
    person = np.where(draw.random(n) < 0.9, truth, 1 - truth)
    opinion = np.where(draw.random(n) < 0.7, truth, 1 - truth)
    ten = np.tile(opinion if certain else 0.1 + 0.8 * opinion, 10)
    votes = Votes(
        np.tile(np.arange(n), 11), np.repeat(np.arange(11), n), np.repeat([0] + [1] * 10, n),
        np.concatenate([person, ten]).astype(float), np.ones(11 * n), np.zeros(11 * n, dtype=int),
        ("person", *(f"judge|p{k}" for k in range(10))), ("people", "ai"), frozenset({"people"}),
    )  # fmt: skip
    found = fuse(votes, Items(np.arange(n), n + np.arange(n), np.zeros((n, 0))))
    assert np.mean((found.p > 0.5) == (truth == 1)) >= np.mean(person == truth)


def test_without_people_judges_are_averaged_as_they_are() -> None:
    """Nobody can say what their word is worth, so its slope is what it was before, and says how little is known."""
    draw = np.random.default_rng(3)
    p = draw.random(40)
    votes = Votes(
        np.tile(np.arange(20), 2), np.repeat([0, 1], 20), np.zeros(40, dtype=int), p, np.ones(40), np.zeros(40, dtype=int),
        ("j|1", "j|2"), ("ai",),
    )  # fmt: skip
    found = fuse(votes, Items(np.arange(20), 20 + np.arange(20), np.zeros((20, 0))))
    assert all(row.slope == pytest.approx(1.0, abs=1e-3) and row.low < -1 for row in found.raters)
    odds = np.log(p / (1 - p)).reshape(2, 20)
    wanted = (odds / np.sqrt((odds**2).mean(axis=1, keepdims=True))).mean(axis=0)
    assert np.allclose(np.log(found.p / (1 - found.p)), wanted, atol=1e-3)


def test_nothing_at_all_is_no_error() -> None:
    """Items without labels have one half and no weight; no items have nothing."""
    items = Items(np.arange(3), 3 + np.arange(3), np.zeros((3, 2)))
    found = fuse(nobody(), items)
    assert found.p.tolist() == [0.5] * 3
    assert found.weight.tolist() == [0.0] * 3
    assert found.raters == []


def test_features_are_scaled_without_moving_zero() -> None:
    """A feature that is the same for both answers stays 0; a column of zeros stays one."""
    found = scaled(np.array([[3.0, 0.0], [0.0, 0.0], [-4.0, 0.0]]))
    assert found[1].tolist() == [0.0, 0.0]
    assert np.sqrt((found[:, 0] ** 2).mean()) == pytest.approx(1.0)
