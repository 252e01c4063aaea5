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
DECAYS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
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


def solve(features: Tensor, rows: Evidence, like: Head, centre: float, precise: float = 1e-6) -> Head:
    """Return the head of least loss at the decay of a head to start from, by L-BFGS in double precision."""
    weights, thresholds = like.weights.clone().requires_grad_(), like.thresholds.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weights, thresholds], max_iter=500, tolerance_grad=precise, tolerance_change=precise / 1000,
        history_size=20, line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = total_loss(features @ weights, thresholds, rows, centre)
        loss = loss + like.decay / 2 * weights @ weights + THRESHOLD_DECAY / 2 * thresholds @ thresholds
        loss.backward()
        return loss

    optimizer.step(closure)
    return Head(weights.detach(), thresholds.detach(), like.decay)


def fit(features: Tensor, rows: Evidence, sources: int, decay: float | Literal["auto"], centre: float) -> Head:
    """Return the head for an objective, with decay chosen if it is to be and its temperature folded into its weights."""
    inputs = features.double()
    candidates = DECAYS if decay == "auto" else (decay,)
    nothing = Head(torch.zeros(inputs.shape[1], dtype=torch.float64), torch.zeros(sources, dtype=torch.float64), 0.0)
    folds = {*rows.pair_fold.tolist(), *rows.thumb_fold.tolist()}
    if len(folds) < FOLDS or len(rows.labels[0]) < ENOUGH:
        start = nothing._replace(decay=DEFAULT_DECAY if decay == "auto" else decay)
        return solve(inputs, rows, start, centre)
    unseen = _unseen(inputs, rows, nothing, candidates, centre)
    said, weight = _in_folds(rows)
    found = []
    for candidate in candidates:
        scale = temperature(unseen[candidate], said, weight)
        found.append((log_loss([x / scale for x in unseen[candidate]], said, weight), candidate, scale))
    _, chosen, scale = min(found)
    head = solve(inputs, rows, nothing._replace(decay=chosen), centre)
    return Head(head.weights / scale, head.thresholds / scale, chosen, scale)


def _fold(rows: Evidence, fold: int) -> tuple[Evidence, Evidence]:
    pairs, thumbs = rows.pair_fold == fold, rows.thumb_fold == fold
    return rows.part(~pairs, ~thumbs), rows.part(pairs, thumbs)


def _in_folds(rows: Evidence) -> tuple[list[float], list[float]]:
    """Return labels and weights fold by fold."""
    labels = [_fold(rows, fold)[1].labels for fold in range(FOLDS)]
    return [x for said, _ in labels for x in said], [x for _, weight in labels for x in weight]


def _unseen(
    inputs: Tensor, rows: Evidence, nothing: Head, decays: Sequence[float], centre: float
) -> dict[float, list[float]]:
    """Return for each decay every row's log-odds, fold by fold, from a head that was solved without its fold."""
    logits: dict[float, list[float]] = {decay: [] for decay in decays}
    for fold in range(FOLDS):
        kept, left_out = _fold(rows, fold)
        head = nothing
        for decay in sorted(decays, reverse=True):  # each start is the solution of the simpler problem before
            head = solve(inputs, kept, head._replace(decay=decay), centre, precise=1e-4)
            logits[decay] += head.logits(inputs, left_out).tolist()
    return logits
