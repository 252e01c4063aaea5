"""Solve a reward head on fixed features: one smooth problem with one start, so the same rows give the same head.

How much weight decay, and how sure the head may be (its temperature), are taken from predictions for prompts that the head
was not fitted on: five folds by prompt. With few prompts there is nothing to choose by, and both keep their defaults.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from caif.audit.calibration import log_loss, temperature
from caif.training.terms import Evidence, Terms, total_loss

FOLDS, ENOUGH = 5, 20
DECAYS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
DEFAULT_DECAY = 0.1


class Shape(NamedTuple):
    """What shapes the loss besides the rows: how much centring counts, and by how much the better side is to win."""

    centre: float = 0.0
    margin: float = 0.0


class Head(NamedTuple):
    """A head's weights, the terms that were fitted beside it, and how it was found."""

    weights: Tensor
    terms: Terms
    decay: float
    temperature: float | None = None

    def logits(self, features: Tensor, rows: Evidence) -> Tensor:
        """Return the log-odds of what each row could have said, pairs before thumbs."""
        return self.terms.logits(features, features @ self.weights, rows)

    def cooled(self, scale: float) -> "Head":
        """Return the head with its log-odds divided by a scale; how raters differ from each other has no unit."""
        terms = self.terms._replace(**{
            name: getattr(self.terms, name) / scale for name in ("thresholds", "strictness", "ease", "taste")
        })  # fmt: skip
        return self._replace(weights=self.weights / scale, terms=terms, temperature=scale)


def solve(features: Tensor, rows: Evidence, like: Head, shape: Shape, precise: float = 1e-6) -> Head:
    """Return the head of least loss at the decay of a head to start from, by L-BFGS in double precision."""
    weights, terms = like.weights.clone().requires_grad_(), Terms(*(t.clone().requires_grad_() for t in like.terms))
    known = [parameter for parameter in (weights, *terms) if parameter.numel()]
    optimizer = torch.optim.LBFGS(
        known, max_iter=500, tolerance_grad=precise, tolerance_change=precise / 1000, history_size=20,
        line_search_fn="strong_wolfe",
    )  # fmt: skip
    whole = float(rows.pairs.weight.sum() + rows.thumbs.weight.sum())

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = total_loss(features, features @ weights, terms, rows, *shape)
        loss = loss + like.decay / 2 * weights @ weights + terms.prior(like.decay, whole)
        loss.backward()
        return loss

    optimizer.step(closure)
    return Head(weights.detach(), Terms(*(t.detach() for t in terms)), like.decay)


def fit(features: Tensor, rows: Evidence, terms: Terms, decay: float | Literal["auto"], shape: Shape) -> Head:
    """Return the head for an objective, with decay chosen if it is to be and its temperature folded into its weights.

    `terms` says how many there are of each kind; they are the start.
    """
    inputs = features.double()
    candidates = DECAYS if decay == "auto" else (decay,)
    nothing = Head(torch.zeros(inputs.shape[1], dtype=torch.float64), terms, 0.0)
    folds = {*rows.pairs.fold.tolist(), *rows.thumbs.fold.tolist()}
    if len(folds) < FOLDS or len(rows.labels[0]) < ENOUGH:
        start = nothing._replace(decay=DEFAULT_DECAY if decay == "auto" else decay)
        return solve(inputs, rows, start, shape)
    unseen = _unseen(inputs, rows, nothing, candidates, shape)
    said, weight = _in_folds(rows)
    found = []
    for candidate in candidates:
        scale = temperature(unseen[candidate], said, weight)
        found.append((log_loss([x / scale for x in unseen[candidate]], said, weight), candidate, scale))
    _, chosen, scale = min(found)
    head = solve(inputs, rows, nothing._replace(decay=chosen), shape)
    return head.cooled(scale)


def _fold(rows: Evidence, fold: int) -> tuple[Evidence, Evidence]:
    pairs, thumbs = rows.pairs.fold == fold, rows.thumbs.fold == fold
    return rows.part(~pairs, ~thumbs), rows.part(pairs, thumbs)


def _in_folds(rows: Evidence) -> tuple[list[float], list[float]]:
    """Return labels and weights fold by fold."""
    labels = [_fold(rows, fold)[1].labels for fold in range(FOLDS)]
    return [x for said, _ in labels for x in said], [x for _, weight in labels for x in weight]


def _unseen(
    inputs: Tensor, rows: Evidence, nothing: Head, decays: Sequence[float], shape: Shape
) -> dict[float, list[float]]:
    """Return for each decay every row's log-odds, fold by fold, from a head that was solved without its fold."""
    logits: dict[float, list[float]] = {decay: [] for decay in decays}
    for fold in range(FOLDS):
        kept, left_out = _fold(rows, fold)
        head = nothing
        for decay in sorted(decays, reverse=True):  # each start is the solution of the simpler problem before
            head = solve(inputs, kept, head._replace(decay=decay), shape, precise=1e-4)
            logits[decay] += head.logits(inputs, left_out).tolist()
    return logits
