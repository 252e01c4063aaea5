"""What a row says besides the score: how strict its source is, who voted on which prompt, and what its judge likes.

METHODS 4.4's joint likelihood. A pair of a judge sees the score and the judge's own taste, a linear function of the same
features; a thumb sees discrimination x (score + ease of the prompt) - strictness. All of these are fitted beside the score
and dropped when the model is used: only the score is what everybody means. Every term has a prior that draws it to "like
everyone", so a rater with few votes, or a source that says nothing new, changes nothing.
"""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from caif.training.losses import centring, joined, pair_loss, thumb_loss

THRESHOLD_DECAY = 1e-3
"""Keeps the threshold of a source whose thumbs all point one way finite."""
TASTE = 1.0
"""How much dearer a judge's own taste is than the score, both in weights of features."""
POWER, STRICTNESS, EASE = 1.0, 1.0, 0.5
"""Standard deviations of the priors: of raters' discrimination around 1, of their strictness, of prompts' ease around 0."""


class Pairs(NamedTuple):
    """Pairs: rows of features, P(first is better), weight, fold, and the number of the judge that said so."""

    first: Tensor
    second: Tensor
    probability: Tensor
    weight: Tensor
    fold: Tensor
    judge: Tensor


class Thumbs(NamedTuple):
    """Thumbs: rows of features, up or down, weight, fold, and the numbers of source, rater and prompt."""

    voted: Tensor
    up: Tensor
    weight: Tensor
    fold: Tensor
    source: Tensor
    rater: Tensor
    prompt: Tensor


class Evidence(NamedTuple):
    """One objective's rows. A judge, rater or prompt without a term of its own has the number after the last."""

    pairs: Pairs
    thumbs: Thumbs

    def part(self, pairs: Tensor, thumbs: Tensor) -> "Evidence":
        """Return the rows that two masks, or two lists of numbers, pick."""
        return Evidence(Pairs(*(x[pairs] for x in self.pairs)), Thumbs(*(x[thumbs] for x in self.thumbs)))

    @property
    def labels(self) -> tuple[list[float], list[float]]:
        """What was said, pairs before thumbs, and how much each row weighs."""
        said = torch.cat([self.pairs.probability, self.thumbs.up])
        return said.tolist(), torch.cat([self.pairs.weight, self.thumbs.weight]).tolist()


class Terms(NamedTuple):
    """The terms: a threshold a source, discrimination (less 1) and strictness a rater, ease a prompt, taste a judge."""

    thresholds: Tensor
    power: Tensor
    strictness: Tensor
    ease: Tensor
    taste: Tensor
    """A row a feature, a column a judge."""

    @classmethod
    def none(cls, width: int, sources: int, judges: int = 0, raters: int = 0, prompts: int = 0) -> Self:
        """Return terms that change nothing."""
        shapes = ((sources,), (raters,), (raters,), (prompts,), (width, judges))
        return cls(*(torch.zeros(shape, dtype=torch.float64) for shape in shapes))

    def logits(self, features: Tensor, score: Tensor, rows: Evidence) -> Tensor:
        """Return the log-odds of what each row could have said, pairs before thumbs, given every answer's score."""
        pairs, thumbs = rows
        gap = score[pairs.first] - score[pairs.second]
        if self.taste.shape[1]:
            liked = torch.cat([features @ self.taste, score.new_zeros(len(score), 1)], dim=1)
            gap = gap + liked[pairs.first, pairs.judge] - liked[pairs.second, pairs.judge]
        level = _of(self.ease, thumbs.prompt) + score[thumbs.voted]
        strict = self.thresholds[thumbs.source] + _of(self.strictness, thumbs.rater)
        return torch.cat([gap, (1 + _of(self.power, thumbs.rater)) * level - strict])

    def prior(self, decay: float, rows: float) -> Tensor:
        """Return what the terms cost beside a loss that is a mean over rows of so much weight."""
        people = ((self.power / POWER) ** 2).sum() + ((self.strictness / STRICTNESS) ** 2).sum()
        prompts = ((self.ease / EASE) ** 2).sum()
        sources = THRESHOLD_DECAY * (self.thresholds**2).sum() + TASTE * decay * (self.taste**2).sum()
        return (sources + (people + prompts) / max(rows, 1.0)) / 2


def total_loss(
    features: Tensor, score: Tensor, terms: Terms, rows: Evidence, centre: float, margin: float = 0.0
) -> Tensor:
    """Return the loss of one objective's rows given every answer's score: pairs, thumbs and centring."""
    pairs, thumbs = rows
    logits = terms.logits(features, score, rows)
    gap, level = logits[: len(pairs.first)], logits[len(pairs.first) :]
    of_pairs = pair_loss(gap, pairs.probability, pairs.weight, margin)
    of_thumbs = thumb_loss(level, torch.zeros_like(level), thumbs.up, thumbs.weight)
    loss = joined((of_pairs, pairs.weight.sum()), (of_thumbs, thumbs.weight.sum()))
    return loss + centre * centring(score[pairs.first], score[pairs.second], pairs.weight)


def _of(values: Tensor, numbers: Tensor) -> Tensor:
    """Return each row's value; 0 for the number after the last."""
    return torch.cat([values, values.new_zeros(1)])[numbers]
