"""Dawid and Skene, against the published implementation and against what is known of a made-up crowd."""

import numpy as np
import pytest
from crowds import as_pairs, crowd, trolls
from hypothesis import given, settings
from hypothesis import strategies as st

from caif.raters.dawid_skene import dawid_skene
from caif.raters.votes import fuse


@pytest.mark.parametrize("one_coin", [False, True])
def test_the_truths_are_those_of_crowd_kit(one_coin: bool) -> None:
    """On a crowd of which 40 % vote against the truth; its one-coin model stops at the first step that gains nothing."""
    kit = pytest.importorskip("crowdkit.aggregation", reason="crowd-kit is not installed")
    pandas = pytest.importorskip("pandas")
    made = crowd(0, trolls(0), items=60)
    table = pandas.DataFrame({"task": made.item, "worker": made.rater, "label": made.label})
    theirs = (kit.OneCoinDawidSkene if one_coin else kit.DawidSkene)(n_iter=12, tol=1e-9).fit_predict_proba(table)[1]
    ours = dawid_skene(made.item, made.rater, made.label, one_coin=one_coin, smoothing=1e-6, steps=12).truth[:, 1]
    assert np.abs(ours - theirs.to_numpy()).max() < 0.05
    fitted = fuse(*as_pairs(made)).p
    assert np.mean((fitted > 0.5) == (theirs.to_numpy() > 0.5)) > 0.98
    assert np.mean((fitted > 0.5) == (made.truth == 1)) > 0.95


def test_a_rater_is_found_to_be_what_they_are() -> None:
    """Each one's share of right labels is found to within sampling error, trolls' too."""
    made = crowd(5, trolls(5), items=2000)
    found = dawid_skene(made.item, made.rater, made.label, one_coin=True)
    assert np.abs(found.says[:, 0, 0] - made.skill).max() < 0.05


def test_three_verdicts() -> None:
    """The tables are square in the number of classes: a rater who takes every tie for a win is seen to."""
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 3, 600)
    honest = [np.where(draw.random(600) < 0.8, truth, draw.integers(0, 3, 600)) for _ in range(4)]
    never_ties = np.where(truth == 2, 0, truth)
    item, rater = np.tile(np.arange(600), 5), np.repeat(np.arange(5), 600)
    found = dawid_skene(item, rater, np.concatenate([*honest, never_ties]), classes=3)
    assert (found.truth.argmax(axis=1) == truth).mean() > 0.9
    assert found.says[4, 2, 0] > 0.9


@given(seed=st.integers(0, 99), shuffle=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_the_order_of_labels_means_nothing(seed: int, shuffle: int) -> None:
    """Nor does a label of weight 2 differ from the same label twice."""
    made = crowd(seed, [0.9, 0.7, 0.6, 0.2], items=20, each=3)
    order = np.random.default_rng(shuffle).permutation(len(made.item))
    one = dawid_skene(made.item, made.rater, made.label)
    other = dawid_skene(made.item[order], made.rater[order], made.label[order])
    assert np.allclose(one.truth, other.truth, atol=1e-4)
    twice = dawid_skene(*(np.repeat(x, 2) for x in made[:3]), smoothing=0.02)
    assert np.allclose(twice.truth, dawid_skene(*made[:3], 2 * np.ones(len(order)), smoothing=0.02).truth, atol=1e-4)
