"""Are two sets of rows draws from one distribution? Each test comes with an effect size: many rows make any p small."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caif.coverage.distances import squared
from caif.coverage.space import Floats

DRAWS, FOLDS, RIDGE = 500, 5, 1.0
Whole = NDArray[np.int64]


class Shift(NamedTuple):
    """A test's statistic, how likely one as large is by chance alone, and how large the difference is."""

    statistic: float
    p: float
    effect: float


def mmd(reference: Floats, asked: Floats, seed: int, draws: int = DRAWS) -> Shift:
    """Return the unbiased squared maximum mean discrepancy (Gretton et al. 2012) of two sets of at least two rows.

    Its kernel is exp(-d²/2m), m the median squared distance. The effect is how much less alike rows of different sets are
    than rows of one: 0 if they are as alike, 1 if not at all.
    """
    rows, n = np.concatenate([reference, asked]), len(reference)
    apart = squared(rows, rows)
    off = apart[np.triu_indices(len(rows), 1)]
    kernel = np.exp(-apart / (2 * (np.median(off) or 1.0)))
    np.fill_diagonal(kernel, 0.0)
    chosen = np.zeros((draws + 1, len(rows)))
    chosen[0, :n] = 1.0
    dice = np.random.default_rng(seed)
    for row in chosen[1:]:
        row[dice.permutation(len(rows))[:n]] = 1.0
    own, other, cross = _alike(kernel, chosen, n)
    found = own + other - 2 * cross
    p = (1 + (found[1:] >= found[0]).sum()) / (draws + 1)
    return Shift(float(found[0]), float(p), float(max(0.0, found[0] / (own[0] + other[0]))))


def _alike(kernel: Floats, chosen: Floats, n: int) -> tuple[Floats, Floats, Floats]:
    """Return the mean kernel within the chosen rows, within the others, and between them, for each choice of n."""
    m = kernel.shape[0] - n
    towards = chosen @ kernel
    within = (towards * chosen).sum(axis=1)
    between = towards.sum(axis=1) - within
    rest = kernel.sum() - within - 2 * between
    return within / (n * (n - 1)), rest / (m * (m - 1)), between / (n * m)


def c2st(reference: Floats, asked: Floats, groups: Sequence[str], seed: int, draws: int = DRAWS) -> Shift | None:
    """Return how well a classifier tells both sets apart on groups that it was not fitted on (Lopez-Paz and Oquab 2017).

    `groups` names the prompt of each row, reference rows first: rows of one prompt are on one side of a split, and
    change sides together in the permutations. The statistic is the area under the ROC curve, the effect twice its
    distance from one half. None with fewer groups than folds in a set.
    """
    rows, n = np.concatenate([reference, asked]), len(reference)
    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    if min(len(np.unique(group[:n])), len(np.unique(group[n:]))) < FOLDS:
        return None
    label = np.where(np.arange(len(rows)) < n, -1.0, 1.0)
    dice = np.random.default_rng(seed)
    labels = np.stack([label, *(_redrawn(label, group, dice) for _ in range(draws))], axis=1)
    fold = _folds(label, group, dice)
    areas = np.nanmean([_area(*_unseen(rows, labels, fold == f)) for f in range(FOLDS)], axis=0)
    p = (1 + (areas[1:] >= areas[0]).sum()) / (draws + 1)
    return Shift(float(areas[0]), float(p), float(max(0.0, 2 * areas[0] - 1)))


def _redrawn(label: Floats, group: Whole, dice: np.random.Generator) -> Floats:
    """Return labels as chance would give them: a group keeps one label, one with both has its labels shuffled within."""
    size = np.bincount(group)
    up = np.bincount(group, label > 0)
    pure = np.flatnonzero((up == 0) | (up == size))
    given = np.zeros(len(size))
    given[pure] = np.where(up[dice.permutation(pure)] > 0, 1.0, -1.0)
    redrawn = given[group]
    for mixed in np.setdiff1d(np.arange(len(size)), pure):
        mine = np.flatnonzero(group == mixed)
        redrawn[mine] = dice.permutation(label[mine])
    return redrawn


def _folds(label: Floats, group: Whole, dice: np.random.Generator) -> Whole:
    """Return a fold for each row, by group, with groups of both labels spread over all folds."""
    order = dice.permutation(group.max() + 1)
    lean = np.bincount(group, label)[order]
    fold = np.empty(len(order), dtype=np.int64)
    fold[order[np.argsort(lean, kind="stable")]] = np.arange(len(order)) % FOLDS
    return fold[group]


def _unseen(rows: Floats, labels: Floats, left_out: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the scores of the rows left out, a column a labelling, by ridge regression on the others, and their labels.

    Which labels there are changes the right-hand side alone, so all permutations are solved at once.
    """
    seen, other = rows[~left_out], rows[left_out]
    middle = seen.mean(axis=0)
    kernel = (seen - middle) @ (seen - middle).T
    held = RIDGE * np.trace(kernel) / len(seen) + 1e-12
    targets = labels[~left_out] - labels[~left_out].mean(axis=0)
    weights = np.linalg.solve(kernel + held * np.eye(len(seen)), targets)
    return (other - middle) @ (seen - middle).T @ weights, labels[left_out]


def _area(scores: Floats, labels: Floats) -> Floats:
    """Return the area under each column's ROC curve, NaN where a column has one label only."""
    ranks = np.argsort(np.argsort(scores, axis=0, kind="stable"), axis=0, kind="stable") + 1.0
    up = (labels > 0).sum(axis=0)
    down = len(labels) - up
    with np.errstate(invalid="ignore", divide="ignore"):
        return ((ranks * (labels > 0)).sum(axis=0) - up * (up + 1) / 2) / (up * down)  # type: ignore[no-any-return]
