"""The measures against brute force and closed forms."""

import math
import random

import pytest

from caif.audit.calibration import (
    accuracy,
    agreement,
    auroc,
    brier,
    calibration_error,
    log_loss,
    of_pairs,
    of_thumbs,
    reliability,
    sigmoid,
    temperature,
)


def test_auroc_is_the_share_of_ordered_pairs() -> None:
    """It equals counting over all (up, down) pairs, ties one half."""
    draw = random.Random(1)
    logits = [round(draw.gauss(0, 1), 1) for _ in range(60)]
    ups = [draw.random() < sigmoid(x) for x in logits]
    pairs = [(x > y) + 0.5 * (x == y) for x, up in zip(logits, ups) if up for y, other in zip(logits, ups) if not other]
    assert auroc(logits, ups) == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)
    assert auroc([1.0, 2.0], [True, True]) is None


def test_accuracy_leaves_undecided_labels_out_and_halves_equal_scores() -> None:
    """A label of 0.5 has no right side; a gap of 0 is right half the time."""
    assert accuracy([1.0, -1.0, 0.0, 3.0], [0.9, 0.2, 1.0, 0.5]) == pytest.approx(2.5 / 3)
    assert accuracy([1.0], [0.5]) is None


def test_log_loss_and_brier_are_their_definitions() -> None:
    """Soft labels, by hand; and no overflow far out."""
    q = 1 / (1 + math.exp(-0.4))
    assert log_loss([0.4], [0.7]) == pytest.approx(-(0.7 * math.log(q) + 0.3 * math.log(1 - q)), abs=1e-12)
    assert brier([0.4], [0.7]) == pytest.approx((q - 0.7) ** 2, abs=1e-12)
    assert log_loss([800.0, -800.0], [0.0, 0.0]) == pytest.approx(400.0)
    assert log_loss([0.0, 2.0], [1.0, 1.0], [1.0, 0.0]) == pytest.approx(math.log(2))


def test_calibration_does_not_depend_on_which_answer_was_written_first() -> None:
    """A mirrored pair (-x, 1 - p) is the same pair."""
    draw = random.Random(2)
    logits = [draw.gauss(0, 2) for _ in range(101)]
    labels = [draw.random() for _ in logits]
    mirrored = [(-x, 1 - p) if draw.random() < 0.5 else (x, p) for x, p in zip(logits, labels)]
    ours, theirs = calibration_error(logits, labels), calibration_error(*map(list, zip(*mirrored)))  # type: ignore[arg-type]
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_a_model_that_says_what_is_true_is_calibrated() -> None:
    """Labels that are the model's own probabilities leave no error; labels of one half leave its confidence."""
    logits = [n / 10 for n in range(-30, 31)]
    assert calibration_error(logits, [sigmoid(x) for x in logits]) == pytest.approx(0, abs=1e-12)
    confidence = sum(sigmoid(abs(x)) - 0.5 for x in logits) / len(logits)
    assert calibration_error(logits, [0.5] * len(logits)) == pytest.approx(confidence, abs=1e-12)


def test_bins_hold_equal_shares_and_every_row_once() -> None:
    """Ten bins of ten for a hundred rows; fewer rows than bins leave no empty bin."""
    bins = reliability([n / 50 for n in range(100)], [1.0] * 100)
    assert [b["n"] for b in bins] == [10] * 10
    assert [b["n"] for b in reliability([0.1, 0.2], [1.0, 1.0])] == [1, 1]


def test_temperature_undoes_a_scale() -> None:
    """Log-odds that are three times too large are divided by three."""
    logits = [n / 10 for n in range(-30, 31)]
    assert temperature([3 * x for x in logits], [sigmoid(x) for x in logits]) == pytest.approx(3.0, abs=1e-3)


def test_people_agree_as_often_as_pairs_of_them_do() -> None:
    """Three raters of one thing, two of one mind: one pair of three agrees. One rater alone says nothing."""
    votes = [("x", "ann", 1), ("x", "bob", 1), ("x", "cy", -1), ("y", "ann", 1), ("z", "ann", 1), ("z", "bob", 1)]
    assert agreement(votes) == {"agreement": pytest.approx((1 / 3 + 1) / 2), "n": 2}
    assert agreement([("x", "ann", 1), ("x", "ann", -1)]) is None


def test_nothing_held_out_is_said_and_does_not_crash() -> None:
    """Without rows there is a count of 0 and no number that could be taken for one."""
    assert of_pairs([], []) == {"n": 0}
    assert of_thumbs([], []) == {"n": 0}


def test_chance_is_reported_as_chance() -> None:
    """Random labels give an accuracy and an AUROC near one half."""
    draw = random.Random(3)
    logits = [draw.gauss(0, 1) for _ in range(4000)]
    ups = [draw.random() < 0.5 for _ in logits]
    measures = of_thumbs(logits, ups)
    assert measures["auroc"] == pytest.approx(0.5, abs=0.03)
    assert measures["accuracy"] == pytest.approx(0.5, abs=0.03)
