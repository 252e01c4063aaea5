"""Each measure of coverage against brute force or a closed form, and against shifts that were planted."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caif.coverage.clusters import k_means, typical
from caif.coverage.distances import Gaussian, shrunk, squared, to_neighbour
from caif.coverage.novelty import novelty, runs_of
from caif.coverage.overlap import overlap
from caif.coverage.shift import c2st, mmd
from caif.coverage.space import Floats, Space

SEEDS = st.integers(0, 2**31)


def draw(seed: int, n: int, d: int, by: float = 0.0) -> Floats:
    """Rows of independent features of spread 1, moved in each."""
    return np.random.default_rng(seed).normal(by, 1.0, (n, d))


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(1, 12), st.integers(1, 12), st.integers(1, 4))
def test_distances_are_those_between_each_two_rows(seed: int, n: int, m: int, d: int) -> None:
    """Squared distances, and the k-th smallest, as a person would look them up."""
    a, b = draw(seed, n, d), draw(seed + 1, m, d)
    assert squared(a, b) == pytest.approx(np.array([[((x - y) ** 2).sum() for y in b] for x in a]))
    for k in (1, 3):
        wanted = [sorted(math.dist(x, y) for y in b)[min(k, m) - 1] for x in a]
        assert to_neighbour(b, a, k) == pytest.approx(np.array(wanted), abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(2, 30), st.integers(1, 6))
def test_the_shrinkage_is_ledoits_and_wolfs(seed: int, n: int, d: int) -> None:
    """Their formula (2004, section 3.2), written as the sums over rows that it is."""
    rows = draw(seed, n, d) * np.arange(1, d + 1)
    rows -= rows.mean(axis=0)
    sample = sum(np.outer(x, x) for x in rows) / n
    middle = np.trace(sample) / d
    apart = np.linalg.norm(sample - middle * np.eye(d)) ** 2
    noise = min(sum(np.linalg.norm(np.outer(x, x) - sample) ** 2 for x in rows) / n**2, apart)
    share = noise / apart if apart > 1e-12 else 1.0
    assert shrunk(rows) == pytest.approx((1 - share) * sample + share * middle * np.eye(d), rel=1e-6, abs=1e-9)


def test_the_relative_distance_sees_broken_correlations_alone() -> None:
    """Two rows as far out in every single feature differ by whether they keep the correlation that the cloud has."""
    line = draw(0, 400, 1)
    gaussian = Gaussian.of(np.concatenate([line, line + 0.1 * draw(1, 400, 1)], axis=1))
    along, across = gaussian.relative(np.array([[2.0, 2.0], [2.0, -2.0]]) + gaussian.mean)
    assert along < 0 < across
    inverse = np.linalg.inv(gaussian.covariance) - np.diag(1 / np.diag(gaussian.covariance))
    assert across == pytest.approx(np.array([2.0, -2.0]) @ inverse @ np.array([2.0, -2.0]))


def test_fewer_rows_than_features_still_have_a_distance() -> None:
    """The shrunk covariance can be inverted, and tells a far row from a near one."""
    gaussian = Gaussian.of(draw(0, 20, 60))
    assert np.isfinite(gaussian.relative(draw(1, 3, 60))).all()


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(7, 12), st.integers(7, 12), st.integers(1, 5))
def test_overlap_counts_rows_in_balls(seed: int, n: int, m: int, k: int) -> None:
    """Precision, recall, density and coverage by their definitions, row by row."""
    p, q = draw(seed, n, 2), draw(seed + 1, m, 2, 0.5)
    near = [sorted(math.dist(x, y) for y in p)[k] for x in p]  # place 0 is the row itself
    far = [sorted(math.dist(x, y) for y in q)[k] for x in q]
    inside = [[math.dist(x, y) <= r for y in q] for x, r in zip(p, near, strict=True)]
    found = overlap(p, q, k)
    assert found is not None
    assert found.precision == pytest.approx(sum(any(row[j] for row in inside) for j in range(m)) / m)
    assert found.recall == pytest.approx(
        sum(any(math.dist(x, y) <= r for y, r in zip(q, far, strict=True)) for x in p) / n
    )
    assert found.density == pytest.approx(sum(map(sum, inside)) / (k * m))
    assert found.coverage == pytest.approx(sum(map(any, inside)) / n)


def test_overlap_tells_prompts_that_are_missing_from_prompts_that_are_strange() -> None:
    """RL that asks a part of what is known has precision and no recall; RL that asks more has recall and no precision."""
    whole = np.concatenate([draw(0, 100, 4), draw(1, 100, 4, 20.0)])
    part, more = draw(2, 100, 4), np.concatenate([whole + 0.01, draw(3, 200, 4, -20.0)])
    missing, strange = overlap(whole, part), overlap(whole, more)
    assert missing is not None
    assert strange is not None
    assert missing.precision > 0.9
    assert missing.recall == pytest.approx(0.5, abs=0.05)
    assert strange.recall > 0.9
    assert strange.precision == pytest.approx(0.5, abs=0.05)
    assert overlap(whole[:5], part) is None


def test_mmd_is_the_mean_over_pairs_and_its_p_that_of_all_permutations() -> None:
    """Written out pair by pair; with five rows, chance's share can be counted over every way to divide them."""
    rows = np.concatenate([draw(0, 3, 2), draw(1, 2, 2, 2.0)])
    off = squared(rows, rows)[np.triu_indices(5, 1)]

    def statistic(order: tuple[int, ...]) -> float:
        def k(i: int, j: int) -> float:
            return math.exp(-((rows[i] - rows[j]) ** 2).sum() / (2 * float(np.median(off))))

        a, b = order[:3], order[3:]
        own = sum(k(i, j) for i in a for j in a if i != j) / 6
        other = sum(k(i, j) for i in b for j in b if i != j) / 2
        return own + other - 2 * sum(k(i, j) for i in a for j in b) / 6

    found = mmd(rows[:3], rows[3:], seed=0, draws=2000)
    assert found.statistic == pytest.approx(statistic((0, 1, 2, 3, 4)))
    every = [statistic(order) >= found.statistic - 1e-9 for order in permutations(range(5))]
    assert found.p == pytest.approx(np.mean(every), abs=0.04)


def test_shifts_are_found_and_no_shift_is_not() -> None:
    """Over draws from one distribution p is below 5 % about as often as that; a planted shift has p near 0 and an effect."""
    p_of_mmd, p_of_c2st = [], []
    for seed in range(40):
        a, b = draw(seed, 40, 5), draw(seed + 1000, 30, 5)
        names = [str(n) for n in range(70)]
        p_of_mmd.append(mmd(a, b, seed, 99).p)
        p_of_c2st.append(c2st(a, b, names, seed, 99).p)  # type: ignore[union-attr]
    assert np.mean(np.array(p_of_mmd) <= 0.05) <= 0.175  # 7 of 40 or more come of chance once in 500 times
    assert np.mean(np.array(p_of_c2st) <= 0.05) <= 0.175
    a, b = draw(0, 60, 5), draw(1, 60, 5, 1.5)
    split, apart = c2st(a, b, [str(n) for n in range(120)], 0), mmd(a, b, 0)
    assert split is not None
    assert split.p < 0.01
    assert split.statistic > 0.95
    assert apart.p < 0.01
    assert apart.effect > 0.3
    more = mmd(draw(2, 300, 5), draw(3, 300, 5, 0.15), 0)
    assert more.p < 0.05
    assert more.effect < 0.05


def test_the_classifier_does_not_know_a_prompt_it_was_fitted_on() -> None:
    """Rows of one prompt are alike. Were they split over folds, the prompt alone would give its side away."""
    prompts = draw(0, 20, 30)
    rows = np.repeat(prompts, 6, axis=0) + 0.01 * draw(1, 120, 30)
    grouped = [str(n // 6) for n in range(120)]
    apart = c2st(rows[:60], rows[60:], [str(n) for n in range(120)], 0)
    together = c2st(rows[:60], rows[60:], grouped, 0)
    assert apart is not None
    assert together is not None
    assert apart.statistic > 0.9
    assert apart.p < 0.05
    assert together.p > 0.05
    assert c2st(rows[:20], rows[60:], grouped[:20] + grouped[60:], 0) is None  # four prompts for five folds


def test_a_space_takes_out_what_length_says_and_nothing_else() -> None:
    """Features that follow the length come out alike for long and short texts; others keep their differences."""
    lengths = np.random.default_rng(0).integers(1, 200, 300).astype(float)
    own = draw(1, 300, 3)
    space = Space.of(3 + 5 * np.log1p(lengths)[:, None] + own, lengths)
    found = space.put(3 + 5 * np.log1p(lengths)[:, None] + own, lengths)
    assert abs(np.corrcoef(found[:, 0], np.log1p(lengths))[0, 1]) < 1e-6
    assert np.corrcoef(found[:, 0], own[:, 0])[0, 1] > 0.99
    assert np.isfinite(Space.of(np.ones((5, 2)), np.ones(5)).put(np.ones((2, 2)), np.ones(2))).all()


def test_k_means_finds_what_lies_together() -> None:
    """Three clouds are three clusters, the most typical member is the one nearest the middle, and copies make one."""
    rows = np.concatenate([draw(n, 20, 3, 30.0 * n) for n in range(3)])
    centres, own = k_means(rows, 3, seed=0)
    assert len(centres) == 3
    assert all(len(set(own[20 * n : 20 * n + 20])) == 1 for n in range(3))
    assert len(set(own)) == 3
    members = np.arange(20)
    near = typical(rows, centres[own[0]], members, 2)
    assert near == sorted(range(20), key=lambda n: ((rows[n] - rows[:20].mean(0)) ** 2).sum())[:2]
    assert len(k_means(np.ones((6, 2)), 3, seed=0)[0]) == 1


def test_novelty_is_the_share_of_runs_that_are_new() -> None:
    """Three words make a run; case does not matter; a text without runs has no novelty rather than none."""
    known = runs_of(["The cat sat on the mat.", "A dog barks."])
    assert novelty(known, "the CAT sat on the mat.") == 0.0
    assert novelty(known, "the cat sat still") == 0.5
    assert novelty(known, "quite another text here") == 1.0
    assert novelty(known, "too short") is None
    assert novelty(runs_of([]), "one two three") == 1.0
