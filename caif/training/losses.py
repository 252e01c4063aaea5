"""The losses of the reward model as plain functions of scores, each with a closed form that a test can check.

Pairs and thumbs are two views of one latent score: a pair sees a difference of scores, a thumb sees a score
against the source's own threshold. Every loss is a mean weighted by row.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of the values by weight; 0 if nothing weighs anything."""
    total = weight.sum()
    return (values * weight).sum() / total if total > 0 else (values * 0.0).sum()


def pair_loss(gap: Tensor, probability: Tensor, weight: Tensor, margin: float = 0.0) -> Tensor:
    """Return the soft-label Bradley-Terry loss of score differences; `probability` is that of the first answer.

    Without a margin it is least where the gap is logit(probability). A margin asks the better side to win by that much.
    """
    each = -(probability * logsigmoid(gap - margin) + (1 - probability) * logsigmoid(-gap - margin))
    return weighted_mean(each, weight)


def thumb_loss(score: Tensor, threshold: Tensor, up: Tensor, weight: Tensor) -> Tensor:
    """Return the logistic loss of thumbs: P(up) = sigmoid(score - threshold). A source's threshold is how strict it is."""
    logit = score - threshold
    return weighted_mean(-(up * logsigmoid(logit) + (1 - up) * logsigmoid(-logit)), weight)


def smoothed(probability: Tensor, flips: float) -> Tensor:
    """Return labels of which so many may be wrong: (1 - e) p + e (1 - p), whose gap stays finite at p = 1 (cDPO)."""
    return probability + flips * (1 - 2 * probability)


def corrected(probability: Tensor, flips: float) -> Tensor:
    """Return labels whose expected loss is that of labels without flips: (p - e) / (1 - 2 e) (rDPO, 2403.00409).

    They leave 0 to 1, and the loss is then without a lower bound; it stays convex, and weight decay bounds it.
    """
    return (probability - flips) / (1 - 2 * flips)


def centring(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Return the mean squared sum of a pair's scores, which pins the level that differences leave free (2312.09244, 2)."""
    return weighted_mean((first + second) ** 2, weight)


def joined(pairs: tuple[Tensor, Tensor], thumbs: tuple[Tensor, Tensor]) -> Tensor:
    """Return the mean over pairs and thumbs together, from each (mean loss, total weight)."""
    losses, weights = torch.stack([pairs[0], thumbs[0]]), torch.stack([pairs[1], thumbs[1]])
    return weighted_mean(losses, weights)
