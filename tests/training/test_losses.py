"""The losses against closed forms, and against TRL's own reward trainer."""

import math
from pathlib import Path

import pytest
import torch

from caif.training.losses import centring, joined, pair_loss, thumb_loss, weighted_mean


def real(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_pair_loss_is_the_soft_label_cross_entropy() -> None:
    """For each pair it is -[p log s(d) + (1 - p) log s(-d)], and rows count by their weight."""
    gap, probability, weight = real(0.7, -1.3), real(0.9, 0.2), real(1.0, 3.0)
    by_hand = [
        -(p * math.log(1 / (1 + math.exp(-d))) + (1 - p) * math.log(1 / (1 + math.exp(d))))
        for d, p in [(0.7, 0.9), (-1.3, 0.2)]
    ]
    assert float(pair_loss(gap, probability, weight)) == pytest.approx((by_hand[0] + 3 * by_hand[1]) / 4, abs=1e-12)


def test_pair_loss_is_least_where_the_gap_is_the_labels_log_odds() -> None:
    """At d = logit(p) the gradient is 0, so a head fitted to p = 0.8 says 0.8; p = 0.5 asks for a gap of 0."""
    for p in (0.8, 0.5, 0.25):
        gap = real(math.log(p / (1 - p))).requires_grad_()
        pair_loss(gap, real(p), real(1.0)).backward()
        assert float(gap.grad) == pytest.approx(0, abs=1e-12)


def test_a_pair_and_its_mirror_image_cost_the_same() -> None:
    """Swapping the answers turns (d, p) into (-d, 1 - p) and changes nothing, with a margin too."""
    for margin in (0.0, 0.5):
        there = pair_loss(real(1.1), real(0.7), real(1.0), margin)
        back = pair_loss(real(-1.1), real(1 - 0.7), real(1.0), margin)
        assert float(there) == pytest.approx(float(back), abs=1e-12)


def test_a_label_reaches_the_loss() -> None:
    """Changing p changes the loss: a soft label cannot be dropped on the way."""
    assert float(pair_loss(real(0.3), real(0.9), real(1.0))) != float(pair_loss(real(0.3), real(0.6), real(1.0)))


def test_thumb_loss_measures_a_score_against_its_sources_threshold() -> None:
    """P(up) = s(score - threshold); up and down at the threshold cost log 2."""
    at = thumb_loss(real(2.0, 2.0), real(2.0, 2.0), real(1.0, 0.0), real(1.0, 1.0))
    assert float(at) == pytest.approx(math.log(2), abs=1e-12)
    above = thumb_loss(real(3.0), real(2.0), real(1.0), real(1.0))
    assert float(above) == pytest.approx(math.log(1 + math.exp(-1.0)), abs=1e-12)


def test_centring_is_the_mean_squared_sum() -> None:
    """Only the sum of a pair's scores is drawn to 0, never their difference."""
    assert float(centring(real(1.0, 2.0), real(-1.0, 1.0), real(1.0, 1.0))) == pytest.approx(4.5)


def test_pairs_and_thumbs_are_joined_by_what_they_weigh() -> None:
    """Two pairs and one thumb weigh two to one; where there are no thumbs, only pairs count, and nothing is NaN."""
    assert float(joined((real(3.0)[0], real(2.0)[0]), (real(0.0)[0], real(1.0)[0]))) == pytest.approx(2.0)
    none = thumb_loss(real(), real(), real(), real())
    assert float(joined((real(3.0)[0], real(2.0)[0]), (none, real(0.0)[0]))) == pytest.approx(3.0)
    assert float(weighted_mean(real(1.0), real(0.0))) == 0.0


def test_hard_pairs_cost_what_they_cost_in_trl(tiny: Path, tmp_path: Path) -> None:
    """With p = 1, weight 1 and TRL's centring the loss is RewardTrainer's on the same scores, to 1e-6."""
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl import RewardConfig, RewardTrainer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    model = AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=1)
    rows = {"chosen": ["a good answer", "yes"], "rejected": ["a bad answer to it", "no, never"]}
    config = RewardConfig(
        output_dir=str(tmp_path), report_to="none", use_cpu=True, bf16=False, center_rewards_coefficient=0.01
    )
    trainer = RewardTrainer(model, args=config, train_dataset=Dataset.from_dict(rows), processing_class=tokenizer)
    batch = next(iter(trainer.get_train_dataloader()))
    with torch.no_grad():
        theirs = trainer.compute_loss(trainer.model, dict(batch))
        scores = trainer.model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits.squeeze(-1)
    first, second = scores.chunk(2)
    ones = torch.ones_like(first)
    ours = pair_loss(first - second, ones, ones) + 0.01 * centring(first, second, ones)
    assert float(ours) == pytest.approx(float(theirs), abs=1e-6)
