"""How good and how honest a model's probabilities are: accuracy, log-loss, Brier score, calibration error, AUROC.

Everything takes log-odds. Labels may be soft. A pair has no natural first answer, so for calibration each pair is turned
to the side that the model prefers: predicted is then how sure it was, observed how often, or how much, it was right.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

BINS = 10


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def log_loss(logits: Sequence[float], labels: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """Return the mean cross-entropy of soft labels under these log-odds."""
    import numpy as np

    x, p = np.asarray(logits, dtype=float), np.asarray(labels, dtype=float)
    losses = p * np.logaddexp(0, -x) + (1 - p) * np.logaddexp(0, x)
    return float(np.average(losses, weights=weights))


def brier(logits: Sequence[float], labels: Sequence[float]) -> float:
    """Return the mean squared distance of probability and label."""
    return _mean([(sigmoid(x) - p) ** 2 for x, p in zip(logits, labels, strict=True)])


def accuracy(logits: Sequence[float], labels: Sequence[float]) -> float | None:
    """Return how often the sign agrees with the label. Labels of one half are left out; equal scores count half."""
    hits = [0.5 if x == 0 else float((x > 0) == (p > 0.5)) for x, p in zip(logits, labels, strict=True) if p != 0.5]
    return _mean(hits) if hits else None


def reliability(logits: Sequence[float], labels: Sequence[float], bins: int = BINS) -> list[dict[str, float]]:
    """Return predicted and observed per bin of equal mass, for pairs turned to the side that is preferred.

    Equal predictions stay together, so that judges who know few values, as votes do, have few bins.
    """
    turned = sorted((sigmoid(abs(x)), p if x >= 0 else 1 - p) for x, p in zip(logits, labels, strict=True))
    groups = [turned[low:high] for low, high in pairwise(cuts([q for q, _ in turned], bins))]
    return [
        {"predicted": _mean([q for q, _ in some]), "observed": _mean([p for _, p in some]), "n": len(some)}
        for some in groups
    ]


def cuts(ordered: Sequence[float], bins: int) -> list[int]:
    """Return where bins of equal mass begin and the last one ends; no cut goes through equal values."""
    n = len(ordered)
    ideal = (round(k * n / bins) for k in range(1, bins + 1))
    return sorted({0, *(bisect_right(ordered, ordered[cut - 1]) for cut in ideal if cut)})


def calibration_error(logits: Sequence[float], labels: Sequence[float], bins: int = BINS) -> float:
    """Return the expected calibration error over bins of equal mass."""
    return sum(b["n"] * abs(b["predicted"] - b["observed"]) for b in reliability(logits, labels, bins)) / len(logits)


def calibration_noise(logits: Sequence[float], draws: int, seed: int, bins: int = BINS) -> float:
    """Return the calibration error to expect of honest probabilities on as many pairs: the error is never below 0.

    Outcomes are drawn from the probabilities themselves, so an error of this size says nothing against them.
    """
    import numpy as np

    sure = np.sort([sigmoid(abs(x)) for x in logits])
    drawn = np.random.default_rng(seed).random((draws, len(sure))) < sure
    gaps = np.add.reduceat(sure - drawn, cuts([*map(float, sure)], bins)[:-1], axis=1)
    return float(np.abs(gaps).sum(axis=1).mean() / len(sure))


def auroc(logits: Sequence[float], ups: Sequence[bool]) -> float | None:
    """Return how often an answer that was liked scores above one that was not, ties one half; None without both."""
    order = sorted(range(len(logits)), key=lambda n: logits[n])
    positives = sum(ups)
    negatives = len(ups) - positives
    if not positives or not negatives:
        return None
    rank_sum, start = 0.0, 0
    while start < len(order):
        end = start
        while end < len(order) and logits[order[end]] == logits[order[start]]:
            end += 1
        rank_sum += (start + end + 1) / 2 * sum(bool(ups[n]) for n in order[start:end])
        start = end
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def of_pairs(logits: Sequence[float], labels: Sequence[float]) -> dict[str, Any]:
    """Return all measures of pairs; without pairs only that there were none."""
    if not logits:
        return {"n": 0}
    return {
        "n": len(logits), "accuracy": accuracy(logits, labels), "log_loss": log_loss(logits, labels),
        "brier": brier(logits, labels), "ece": calibration_error(logits, labels),
    }  # fmt: skip


def of_thumbs(logits: Sequence[float], ups: Sequence[bool]) -> dict[str, Any]:
    """Return all measures of thumbs; without thumbs only that there were none."""
    if not logits:
        return {"n": 0}
    labels = [float(up) for up in ups]
    return {
        "n": len(logits), "auroc": auroc(logits, ups), "accuracy": accuracy(logits, labels),
        "log_loss": log_loss(logits, labels),
    }  # fmt: skip


def temperature(
    logits: Sequence[float], labels: Sequence[float], weights: Sequence[float] | None = None, widest: float = 8.0
) -> float:
    """Return what to divide the log-odds by so that their log-loss is least, between 1/8 and `widest`.

    The loss is convex in the factor, so a search that narrows the interval finds it.
    """
    import numpy as np

    x: Any = np.asarray(logits, dtype=float)
    low, high = 1 / widest, 8.0
    for _ in range(40):
        third = (high - low) / 3
        if log_loss(x * (low + third), labels, weights) <= log_loss(x * (high - third), labels, weights):
            high -= third
        else:
            low += third
    return 2 / (low + high)


def agreement(opinions: Sequence[tuple[str, str, int]]) -> dict[str, float] | None:
    """Return how often two raters of one thing agree, from (thing, rater, opinion); None if no thing has two raters.

    Each thing counts once, as the share of its pairs of raters that agree. A rater's last opinion is the one that counts.
    """
    things: dict[str, dict[str, int]] = {}
    for thing, rater, opinion in opinions:
        things.setdefault(thing, {})[rater] = opinion
    shares = [
        _mean([float(a == b) for a, b in combinations(votes.values(), 2)])
        for votes in things.values()
        if len(votes) > 1
    ]
    return {"agreement": _mean(shares), "n": len(shares)} if shares else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
