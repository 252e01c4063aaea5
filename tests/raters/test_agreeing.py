"""Agreement: alpha and AC1 against formulas worked out by hand, intervals over items, and what prevalence does."""

import numpy as np
import pytest

from caif.raters.agreeing import agreeing, between


def test_alpha_and_ac1_by_hand() -> None:
    """Four things, two raters: 1 1, 1 1, 0 0, 1 0. Alpha is 1 - 7 * 2 / (64 - 5^2 - 3^2), AC1 (3/4 - 30/64) / (1 - 30/64)."""
    item, rater = np.repeat(np.arange(4), 2), np.tile([0, 1], 4)
    found = agreeing(item, rater, np.array([1, 1, 1, 1, 0, 0, 1, 0]))
    assert found["raw"]["mean"] == pytest.approx(0.75)
    assert found["alpha"]["mean"] == pytest.approx(1 - 14 / 30)
    assert found["prevalence"]["mean"] == pytest.approx(5 / 8)
    chance = 2 * 5 / 8 * 3 / 8
    assert found["ac1"]["mean"] == pytest.approx((0.75 - chance) / (1 - chance))
    assert found["alpha"]["low"] is None  # of four things, many a draw has one verdict alone


def test_alpha_is_that_of_crowd_kit() -> None:
    """With missing votes and different numbers of raters."""
    data = pytest.importorskip("crowdkit.metrics.data", reason="crowd-kit is not installed")
    pandas = pytest.importorskip("pandas")
    draw = np.random.default_rng(0)
    item, rater = np.divmod(np.arange(120), 4)
    side = (draw.random(30)[item] + 0.5 * draw.random(120) > 0.75).astype(int)
    kept = draw.random(120) < 0.7
    table = pandas.DataFrame({"task": item[kept], "worker": rater[kept], "label": side[kept]})
    assert agreeing(item[kept], rater[kept], side[kept])["alpha"]["mean"] == pytest.approx(
        data.alpha_krippendorff(table)
    )


def test_where_one_verdict_prevails_alpha_falls_and_ac1_does_not() -> None:
    """Nine thumbs of ten up, given without regard to the thing: alpha is near 0, AC1 is high, and the share says why."""
    draw = np.random.default_rng(1)
    found = agreeing(np.repeat(np.arange(2000), 2), np.tile([0, 1], 2000), (draw.random(4000) < 0.9).astype(int))
    assert found["alpha"]["low"] < found["alpha"]["mean"] < found["alpha"]["high"]
    assert abs(found["alpha"]["mean"]) < 0.05
    assert found["ac1"]["mean"] > 0.7
    assert found["prevalence"]["mean"] == pytest.approx(0.9, abs=0.02)


def test_kappa_of_two_raters_by_hand() -> None:
    """20 times both 1, 15 times both 0, 5 and 10 times they differ: (0.7 - 0.5) / (1 - 0.5)."""
    one = np.repeat([1, 1, 0, 0], [20, 5, 10, 15])
    other = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    item = np.arange(50)
    (found,) = between(np.tile(item, 2), np.repeat([0, 1], 50), np.concatenate([one, other]))
    assert found["kappa"]["mean"] == pytest.approx(0.4)
    assert found["shares"] == (0.5, 0.6)
    assert found["kappa"]["low"] < 0.4 < found["kappa"]["high"]


def test_who_judged_nothing_together_is_not_compared() -> None:
    """One vote an item has no agreement, and a second word of the same rater is no second rater."""
    found = agreeing(np.array([0, 1, 1]), np.array([0, 1, 1]), np.array([1, 0, 1]))
    assert (found["items"], found["alpha"]) == (0, None)
    assert between(np.array([0, 1]), np.array([0, 1]), np.array([1, 0])) == []
