"""Heads on fixed features: known answers, no dependence on order, and honest choices of decay and temperature."""

import math

import pytest
import torch
from torch import Tensor

from caif.training.heads import ENOUGH, FOLDS, Head, Shape, fit, solve
from caif.training.scorers import batches_by_length
from caif.training.terms import Evidence, Pairs, Terms, Thumbs

NONE = torch.zeros(0, dtype=torch.long)
NOTHING = torch.zeros(0, dtype=torch.float64)


def pairs(first: Tensor, second: Tensor, probability: Tensor, fold: Tensor | None = None) -> Evidence:
    n = len(first)
    folds = torch.arange(n) % FOLDS if fold is None else fold
    ones = torch.ones(n, dtype=torch.float64)
    nobody = Thumbs(NONE, NOTHING, NOTHING, NONE, NONE, NONE, NONE)
    return Evidence(Pairs(first, second, probability.double(), ones, folds, torch.zeros(n, dtype=torch.long)), nobody)


def thumbs(voted: Tensor, up: Tensor, source: Tensor) -> Evidence:
    n = len(voted)
    ones = torch.ones(n, dtype=torch.float64)
    zeros, nobody = torch.zeros(n, dtype=torch.long), Pairs(NONE, NONE, NOTHING, NOTHING, NONE, NONE)
    return Evidence(nobody, Thumbs(voted, up.double(), ones, torch.arange(n) % FOLDS, source, zeros, zeros))


def start(width: int, sources: int = 0, decay: float = 0.0) -> Head:
    return Head(torch.zeros(width, dtype=torch.float64), Terms.none(width, sources), decay)


def test_a_head_fitted_to_eight_in_ten_says_eight_in_ten() -> None:
    """Without decay the solved head gives back the soft label; with centring too, since only the level is drawn to 0."""
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    rows = pairs(torch.tensor([0]), torch.tensor([1]), torch.tensor([0.8]))
    for centre in (0.0, 0.01):
        head = solve(features, rows, start(2), Shape(centre))
        assert float(torch.sigmoid(head.logits(features, rows))) == pytest.approx(0.8, abs=1e-5)
    assert float((features @ head.weights).sum()) == pytest.approx(0, abs=1e-4)


def test_thumbs_give_each_source_its_threshold() -> None:
    """Two sources see the same answers, one far stricter: the score is shared, the thresholds take the difference."""
    shares = {0: 0.8, 1: 0.3}
    source = torch.tensor([0] * 10 + [1] * 10)
    up = torch.cat([(torch.arange(10) < 10 * share).float() for share in shares.values()])
    features = torch.zeros(1, 1, dtype=torch.float64)
    head = solve(features, thumbs(torch.zeros(20, dtype=torch.long), up, source), start(1, sources=2), Shape())
    for n, share in shares.items():
        assert float(head.terms.thresholds[n]) == pytest.approx(-math.log(share / (1 - share)), abs=0.02)


def test_thumbs_that_all_point_one_way_stay_finite() -> None:
    """A source that only ever says yes has a low threshold, not an infinite one."""
    features = torch.ones(8, 1, dtype=torch.float64)
    rows = thumbs(torch.arange(8), torch.ones(8), torch.zeros(8, dtype=torch.long))
    head = solve(features, rows, start(1, sources=1, decay=0.1), Shape())
    assert head.terms.thresholds.isfinite().all()
    assert head.weights.isfinite().all()


def noisy(n: int, width: int, strength: float) -> tuple[Tensor, Evidence]:
    draw = torch.Generator().manual_seed(5)
    features = torch.randn(2 * n, width, generator=draw)
    score = features @ torch.randn(width, generator=draw) * strength / math.sqrt(width)
    chance = torch.sigmoid(score[:n] - score[n:])
    return features, pairs(torch.arange(n), torch.arange(n) + n, torch.bernoulli(chance, generator=draw))


def test_more_noise_gets_more_decay_and_is_not_believed() -> None:
    """Pure noise is fitted with the heaviest decay; a clear signal with a light one, and predicts unseen pairs."""
    features, rows = noisy(200, 16, strength=0.0)
    assert fit(features, rows, Terms.none(16, 0), "auto", Shape()).decay >= 1.0
    features, rows = noisy(200, 16, strength=4.0)
    clear = fit(features, rows, Terms.none(16, 0), "auto", Shape())
    assert clear.decay <= 0.1
    assert clear.temperature is not None
    assert 0.5 < clear.temperature < 2.0


def test_a_head_that_is_too_timid_is_made_as_sure_as_it_may_be() -> None:
    """Far too much decay makes log-odds too small; the temperature that unseen prompts ask for is in the weights."""
    features, rows = noisy(200, 16, strength=4.0)
    nothing = start(16, decay=10.0)
    head = fit(features, rows, Terms.none(16, 0), 10.0, Shape())
    assert head.temperature is not None
    assert head.temperature < 0.7
    timid = solve(features.double(), rows, nothing, Shape())
    assert torch.allclose(head.weights * head.temperature, timid.weights, atol=1e-6)


def test_few_rows_choose_nothing() -> None:
    """Below what folds need, decay keeps its default and temperature is not fitted."""
    features, rows = noisy(ENOUGH - 1, 4, strength=1.0)
    head = fit(features, rows, Terms.none(4, 0), "auto", Shape())
    assert (head.decay, head.temperature) == (0.1, None)


def test_the_order_of_rows_does_not_matter() -> None:
    """The same rows in another order give the same head."""
    features, rows = noisy(60, 8, strength=2.0)
    there = fit(features, rows, Terms.none(8, 0), "auto", Shape(0.01))
    turned = torch.arange(60).flip(0)
    back = fit(features, rows.part(turned, NONE), Terms.none(8, 0), "auto", Shape(0.01))
    assert torch.allclose(there.weights, back.weights, atol=1e-3)


def test_batches_hold_every_row_once_within_the_budget() -> None:
    """Longest first, padding included in the budget; one row may be over it, alone."""
    lengths = [5, 50, 7, 7, 200, 3]
    batches = batches_by_length(lengths, 60)
    assert sorted(n for batch in batches for n in batch) == list(range(6))
    assert batches[0] == [4]
    assert all(len(b) * max(lengths[n] for n in b) <= 60 for b in batches[1:])
