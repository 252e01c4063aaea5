"""Solve a reward head on fixed features: a convex problem, so the same rows give the same head, whatever the seed.

How much weight decay, and how sure the head may be (its temperature), are taken from predictions for prompts that the head
was not fitted on: five folds by prompt. With few prompts there is nothing to choose by, and both keep their defaults.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from caif.audit.calibration import log_loss, temperature
from caif.training.losses import centring, joined, pair_loss, thumb_loss

FOLDS, ENOUGH = 5, 20
DECAYS = (0.001, 0.01, 0.1, 1.0, 10.0)
DEFAULT_DECAY = 0.1
THRESHOLD_DECAY = 1e-3
"""Keeps the threshold of a source whose thumbs all point one way finite."""


@dataclass(frozen=True)
class Evidence:
    """One objective's rows: pairs as row numbers of features, thumbs likewise with the number of their source."""

    first: Tensor
    second: Tensor
    probability: Tensor
    pair_weight: Tensor
    pair_fold: Tensor
    voted: Tensor
    up: Tensor
    thumb_weight: Tensor
    thumb_fold: Tensor
    source: Tensor

    def part(self, pairs: Tensor, thumbs: Tensor) -> "Evidence":
        """Return the rows that two masks pick."""
        return Evidence(
            self.first[pairs], self.second[pairs], self.probability[pairs], self.pair_weight[pairs],
            self.pair_fold[pairs], self.voted[thumbs], self.up[thumbs], self.thumb_weight[thumbs],
            self.thumb_fold[thumbs], self.source[thumbs],
        )  # fmt: skip

    @property
    def labels(self) -> tuple[list[float], list[float]]:
        """What was said, pairs before thumbs, and how much each row weighs."""
        said, weight = torch.cat([self.probability, self.up]), torch.cat([self.pair_weight, self.thumb_weight])
        return said.tolist(), weight.tolist()


class Head(NamedTuple):
    """A head's weights, its sources' thresholds, and how it was found."""

    weights: Tensor
    thresholds: Tensor
    decay: float
    temperature: float | None = None

    def logits(self, features: Tensor, rows: Evidence) -> Tensor:
        """Return the log-odds of what each row could have said, pairs before thumbs."""
        score = features @ self.weights
        return torch.cat([score[rows.first] - score[rows.second], score[rows.voted] - self.thresholds[rows.source]])


def total_loss(score: Tensor, thresholds: Tensor, rows: Evidence, centre: float) -> Tensor:
    """Return the loss of one objective's rows given every answer's score: pairs, thumbs and centring."""
    first, second = score[rows.first], score[rows.second]
    pairs = pair_loss(first - second, rows.probability, rows.pair_weight)
    thumbs = thumb_loss(score[rows.voted], thresholds[rows.source], rows.up, rows.thumb_weight)
    loss = joined((pairs, rows.pair_weight.sum()), (thumbs, rows.thumb_weight.sum()))
    return loss + centre * centring(first, second, rows.pair_weight)


def solve(features: Tensor, rows: Evidence, sources: int, decay: float, centre: float) -> Head:
    """Return the head of least loss, by L-BFGS in double precision."""
    inputs = features.double()
    weights = torch.zeros(inputs.shape[1], dtype=torch.float64, requires_grad=True)
    thresholds = torch.zeros(sources, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weights, thresholds], max_iter=200, tolerance_grad=1e-8, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = total_loss(inputs @ weights, thresholds, rows, centre)
        loss = loss + decay / 2 * weights @ weights + THRESHOLD_DECAY / 2 * thresholds @ thresholds
        loss.backward()
        return loss

    optimizer.step(closure)
    return Head(weights.detach(), thresholds.detach(), decay)


def fit(features: Tensor, rows: Evidence, sources: int, decay: float | Literal["auto"], centre: float) -> Head:
    """Return the head for an objective, with decay chosen if it is to be and its temperature folded into its weights."""
    candidates: Sequence[float] = DECAYS if decay == "auto" else (decay,)
    best: tuple[float, float, float] | None = None
    if len({*rows.pair_fold.tolist(), *rows.thumb_fold.tolist()}) == FOLDS and len(rows.labels[0]) >= ENOUGH:
        for candidate in candidates:
            logits, said, weight = _unseen(features, rows, sources, candidate, centre)
            scale = temperature(logits, said, weight)
            loss = log_loss([x / scale for x in logits], said, weight)
            best = min(best or (loss, candidate, scale), (loss, candidate, scale))
    if best is None:
        return solve(features, rows, sources, DEFAULT_DECAY if decay == "auto" else decay, centre)
    _, chosen, scale = best
    head = solve(features, rows, sources, chosen, centre)
    return Head(head.weights / scale, head.thresholds / scale, chosen, scale)


def _unseen(
    features: Tensor, rows: Evidence, sources: int, decay: float, centre: float
) -> tuple[list[float], list[float], list[float]]:
    """Return each row's log-odds from a head that was fitted without its prompt, with what it said and its weight."""
    logits: list[float] = []
    said: list[float] = []
    weight: list[float] = []
    for fold in range(FOLDS):
        pairs, thumbs = rows.pair_fold == fold, rows.thumb_fold == fold
        head = solve(features, rows.part(~pairs, ~thumbs), sources, decay, centre)
        left_out = rows.part(pairs, thumbs)
        labels, weights = left_out.labels
        logits += head.logits(features.double(), left_out).tolist()
        said, weight = said + labels, weight + weights
    return logits, said, weight
