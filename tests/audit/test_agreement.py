"""Accuracy, kappa, alpha and their intervals: against published examples, brute force and closed forms."""

import math
from collections import Counter
from itertools import combinations, permutations
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caif.audit.agreement import Labelled, agreement, alpha, ceiling, coincidences, difference, grouped, kappa, majority
from caif.audit.bootstrap import of_share, of_sums, ratio, redraw

CODES = st.integers(0, 2)
_ = None
KRIPPENDORFF = [  # the worked example of Krippendorff 2011, "Computing Krippendorff's alpha-reliability", section C
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]


def matrix_of(units: list[list[int]], codes: int = 3) -> np.ndarray:
    return np.sum([coincidences(unit, codes) for unit in units], axis=0).reshape(codes, codes)


def test_alpha_of_the_published_example_with_missing_values() -> None:
    """Four observers, twelve things, five values, seven values missing: 0.743."""
    units = [[rater[n] - 1 for rater in KRIPPENDORFF if rater[n] is not None] for n in range(12)]
    assert float(alpha(matrix_of(units, 5))) == pytest.approx(0.743, abs=5e-4)


def test_kappa_of_a_textbook_table() -> None:
    """20 and 15 of 50 agree: 0.7 observed, 0.5 by chance, 0.4."""
    assert float(kappa([[20, 5], [10, 15]])) == pytest.approx(0.4)


def test_kappa_falls_with_prevalence_at_one_accuracy() -> None:
    """The paradox that prevalence is stated for: 85 of 100 agree in both tables."""
    even, skewed = kappa([[40, 9], [6, 45]]), kappa([[80, 10], [5, 5]])
    assert float(even) == pytest.approx(0.70, abs=0.005)
    assert float(skewed) == pytest.approx(0.32, abs=0.005)


def brute_alpha(units: list[list[int]]) -> float:
    """Disagreement within things over disagreement between any two values, by loops over pairs of values."""
    units = [unit for unit in units if len(unit) > 1]
    values = [value for unit in units for value in unit]
    n = len(values)
    expected = sum(a != b for a, b in permutations(values, 2)) / (n * (n - 1)) if n > 1 else 0
    observed = sum(sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units) / n if n else 0
    return 1 - observed / expected if expected else math.nan


@settings(deadline=None)
@given(st.lists(st.lists(CODES, max_size=5), max_size=12))
def test_alpha_is_what_pairs_of_values_say(units: list[list[int]]) -> None:
    """Any number of raters a thing, none included."""
    matrix = matrix_of(units) if units else np.zeros((3, 3))
    assert float(alpha(matrix)) == pytest.approx(brute_alpha(units), nan_ok=True)


@settings(deadline=None)
@given(st.lists(st.tuples(CODES, CODES), min_size=1, max_size=40))
def test_kappa_is_what_two_lists_say(pairs: list[tuple[int, int]]) -> None:
    """Observed against chance from the two raters' own frequencies, by counting."""
    table = np.zeros((3, 3))
    for one, other in pairs:
        table[one, other] += 1
    n, ones, others = len(pairs), Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    observed, chance = sum(a == b for a, b in pairs) / n, sum(ones[k] * others[k] for k in range(3)) / n**2
    wanted = (observed - chance) / (1 - chance) if chance < 1 else math.nan
    assert float(kappa(table)) == pytest.approx(wanted, nan_ok=True)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("pqr"), CODES | st.none(), st.lists(CODES, max_size=3)), min_size=1, max_size=30))
def test_all_of_agreement_by_counting(drawn: list[tuple[str, int | None, list[int]]]) -> None:
    """Accuracy is about decided and judged pairs, coverage about all; an abstention is missing, not wrong."""
    rows = [Labelled(prompt, judge, tuple(people)) for prompt, judge, people in drawn if people]
    found = agreement(rows, 20, 0)
    judged = [row for row in rows if row.judge is not None]
    decided = [row for row in judged if majority(row.people) != 2]
    right = [0.5 if row.judge == 2 else float(row.judge == majority(row.people)) for row in decided]
    assert (found["pairs"], found["decided"]) == (len(rows), len(decided))
    assert (found["accuracy"] or {}).get("mean") == (pytest.approx(sum(right) / len(right)) if right else None)
    if rows:
        assert found["coverage"]["mean"] == pytest.approx(len(judged) / len(rows))
        wanted = brute_alpha([[*row.people] if row.judge is None else [row.judge, *row.people] for row in rows])
        assert (found["alpha"] or {"mean": math.nan})["mean"] == pytest.approx(wanted, nan_ok=True)


def test_majority() -> None:
    """More for a, more for b, as many for both; ties do not count."""
    assert [majority(codes) for codes in ((0,), (1, 1, 0), (0, 1), (2, 2, 1), (2,))] == [0, 1, 2, 1, 2]


def test_prevalence_is_stated() -> None:
    """Beside kappa stands how often each verdict was given, by people and by the judge."""
    found = agreement([Labelled("p", 0, (0,)), Labelled("q", 0, (1,)), Labelled("r", None, (0,)), Labelled("s", 2, (0,))], 50, 0)
    assert found["prevalence"]["people"] == {"a": 0.75, "b": 0.25, "tie": 0.0}
    assert found["prevalence"]["judge"] == {"a": pytest.approx(2 / 3), "b": 0.0, "tie": pytest.approx(1 / 3)}


def test_redrawing_is_a_bootstrap_over_prompts() -> None:
    """The mean over n prompts varies by their variance over n; copies within a prompt make nothing surer."""
    chance = Random(0)
    values = [chance.random() for _ in range(200)]
    one = grouped([(str(n), [value, 1.0]) for n, value in enumerate(values)])
    copied = grouped([(str(n), [value, 1.0]) for n, value in enumerate(values) for _ in range(5)])
    wanted = np.std(values) / math.sqrt(200)
    for parts in (one, copied):
        drawn = ratio(0, 1)(redraw(parts, 4000, 1))
        assert np.std(drawn) == pytest.approx(wanted, rel=0.05)
        assert np.mean(drawn) == pytest.approx(np.mean(values), abs=3 * wanted / math.sqrt(4000) + 1e-9)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of 200 samples of 80 prompts with two pairs each, about 95 % of the intervals hold the true rate."""
    covered = 0
    for seed in range(200):
        chance = Random(seed)
        rows = []
        for prompt in range(80):
            ease = chance.choice((0.5, 0.9))  # pairs of one prompt are alike
            rows += [(str(prompt), [float(chance.random() < ease), 1.0]) for _ in range(2)]
        parts = grouped(rows)
        found = of_sums(ratio(0, 1), parts, redraw(parts, 400, seed))
        covered += found["low"] <= 0.7 <= found["high"]
    assert 180 <= covered <= 199


def test_where_nothing_can_be_said_nothing_is() -> None:
    """No value without rows, no interval from one prompt, nor from rows that all agree."""
    one = grouped([("p", [1.0, 2.0])])
    assert of_sums(ratio(0, 1), one, redraw(one, 10, 0)) == {"mean": 0.5, "low": None, "high": None, "n": 1}
    none = grouped([("p", [0.0, 0.0]), ("q", [0.0, 0.0])])
    assert of_sums(ratio(0, 1), none, redraw(none, 10, 0)) is None
    assert agreement([], 10, 0)["accuracy"] is None
    agreed = agreement([Labelled(str(n), n % 2, (n % 2,)) for n in range(8)], 200, 0)
    assert agreed["kappa"] == {"mean": 1.0, "low": None, "high": None, "n": 8}
    assert agreed["accuracy"]["low"] == pytest.approx(0.6756, abs=1e-3)


def test_none_of_a_few_is_not_surely_none() -> None:
    """0 of 10 prompts: Wilson's 0 to 28 %, which redrawing tens of zeros cannot know."""
    parts = grouped([(str(n), [0.0, 1.0]) for n in range(10)])
    found = of_share(0, 1, parts, redraw(parts, 50, 0))
    assert found["mean"] == 0.0 and found["low"] == pytest.approx(0.0, abs=1e-9)
    assert found["high"] == pytest.approx(0.2775, abs=1e-4)
    mixed = grouped([(str(n), [float(n < 5), 1.0]) for n in range(10)])
    assert of_share(0, 1, mixed, redraw(mixed, 500, 0)) == of_sums(ratio(0, 1), mixed, redraw(mixed, 500, 0))


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    """Two modes that are right on the same pairs but for a few: their accuracies overlap, their difference does not."""
    chance = Random(3)
    truth = [chance.randrange(2) for _ in range(200)]
    known = [chance.random() < 0.6 for _ in range(200)]
    one = [Labelled(str(n), t if k or n % 10 == 0 else 1 - t, (t,)) for n, (t, k) in enumerate(zip(truth, known, strict=True))]
    other = [Labelled(str(n), t if k else 1 - t, (t,)) for n, (t, k) in enumerate(zip(truth, known, strict=True))]
    gap = difference(one, other, 1000, 0)
    better, worse = agreement(one, 1000, 0)["accuracy"], agreement(other, 1000, 0)["accuracy"]
    assert gap["mean"] == pytest.approx(better["mean"] - worse["mean"])
    assert gap["low"] > 0 and better["low"] < worse["high"]
    assert difference(one, one, 100, 0) == {"mean": 0.0, "low": None, "high": None, "n": 200}
    assert difference(one[:1], [one[0]._replace(judge=None)], 10, 0) is None


@settings(deadline=None)
@given(st.lists(st.lists(CODES, max_size=4), max_size=10))
def test_the_ceiling_is_the_agreement_of_two_raters(units: list[list[int]]) -> None:
    """Each pair with several raters counts once, as the share of its pairs of raters that agree."""
    found = ceiling([(str(n), tuple(unit)) for n, unit in enumerate(units)], 10, 0)
    shares = [np.mean([a == b for a, b in combinations(unit, 2)]) for unit in units if len(unit) > 1]
    assert (found is None) == (not shares)
    if found:
        assert found["pairs"] == len(shares)
        assert found["agreement"]["mean"] == pytest.approx(np.mean(shares))
