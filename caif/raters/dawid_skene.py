"""Dawid and Skene's model (1979) by EM: what is true of each item, and how often each rater says what of which truth.

It knows no features, no order and no slopes; `caif.raters.model` begins where it ends.
"""

from typing import NamedTuple

import numpy as np

from caif.raters.votes import Floats, Ints

STEPS = 100
SETTLED = 1e-5


class Estimated(NamedTuple):
    """`truth` is [items, classes]; `says` is [raters, classes, classes], P(says the second | the first is true)."""

    truth: Floats
    says: Floats
    prevalence: Floats


def dawid_skene(
    item: Ints, rater: Ints, label: Ints, weight: Floats | None = None, *,
    classes: int = 2, one_coin: bool = False, smoothing: float = 0.01, steps: int = STEPS,
) -> Estimated:  # fmt: skip
    """Return the posterior of the truth after EM from the majority's word.

    `smoothing` is added to every count of a rater's table, so that nobody is certain for having said little. With
    `one_coin` a rater is right equally often whatever is true, and wrong in all other ways alike. An item without labels
    has the prevalence as its posterior.
    """
    weights = np.ones(len(item)) if weight is None else np.asarray(weight, dtype=float)
    items, raters = _size(item), _size(rater)
    says = np.broadcast_to(_diagonal(0.7, classes), (raters, classes, classes))
    prevalence = np.full(classes, 1 / classes)
    truth = _truth(item, rater, label, weights, says, prevalence, items)
    for _ in range(steps):
        says = _says(item, rater, label, weights, truth, raters, smoothing)
        says = _one_coin(says, classes) if one_coin else _rows(says)
        prevalence = truth.mean(axis=0)
        before, truth = truth, _truth(item, rater, label, weights, says, prevalence, items)
        if np.abs(truth - before).max(initial=0.0) < SETTLED:
            break
    return Estimated(truth, says, prevalence)


def _size(numbers: Ints) -> int:
    return int(numbers.max(initial=-1)) + 1


def _diagonal(right: float, classes: int) -> Floats:
    wrong = np.full((classes, classes), (1 - right) / (classes - 1))
    np.fill_diagonal(wrong, right)
    return wrong


def _truth(
    item: Ints, rater: Ints, label: Ints, weight: Floats, says: Floats, prevalence: Floats, items: int
) -> Floats:
    """Return the E-step: the prevalence times what every rater's table says of its label, in logs."""
    with np.errstate(divide="ignore"):  # a class nobody is in has probability 0
        logs, prior = np.log(says), np.log(prevalence)
    columns = [np.bincount(item, weight * logs[rater, true, label], items) for true in range(len(prevalence))]
    found = np.stack(columns, axis=1) + prior
    found = np.exp(found - found.max(axis=1, keepdims=True))
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _says(item: Ints, rater: Ints, label: Ints, weight: Floats, truth: Floats, raters: int, smoothing: float) -> Floats:
    """Return how often each rater said each class of items by what they probably are, smoothed."""
    classes = truth.shape[1]
    cell = rater * classes + label
    counts = [np.bincount(cell, weight * truth[item, true], raters * classes) for true in range(classes)]
    return np.asarray(np.stack(counts).reshape(classes, raters, classes).transpose(1, 0, 2) + smoothing)


def _rows(counts: Floats) -> Floats:
    return np.asarray(counts / counts.sum(axis=2, keepdims=True))


def _one_coin(counts: Floats, classes: int) -> Floats:
    right = np.trace(counts, axis1=1, axis2=2) / counts.sum(axis=(1, 2))
    wrong = (1 - right) / (classes - 1)
    eye = np.eye(classes)
    return np.asarray(right[:, None, None] * eye + wrong[:, None, None] * (1 - eye))
