"""Judges' numbers against the truth: one logistic regression over all voices, leniencies and biases at once.

Its matrix is never written down: a row has as many entries as a comparison has labels, so a Newton step is solved by
conjugate gradients, each of which costs two passes over the labels.
"""

from collections.abc import Callable

import numpy as np

from caif.raters.labels import Labels, total
from caif.raters.likelihood import Voices, from_judges, sigmoid
from caif.raters.votes import Floats

TURNS, CLOSE = 25, 1e-4
"""Conjugate gradients end after so many turns, or when so small a share of the residual is left."""


class Held:
    """The coefficients as one vector, what each is held to, and how strongly."""

    def __init__(self, usual: Voices, spread: tuple[float, float], ridge: float) -> None:
        self.shape = usual.bias.shape
        self.at = np.concatenate([usual.slope, np.zeros_like(usual.leniency), np.zeros(usual.bias.size)])
        one = np.ones_like(usual.slope)
        self.pull = np.concatenate([one / spread[0] ** 2, one / spread[1] ** 2, np.full(usual.bias.size, ridge)])


def step(labels: Labels, voices: Voices, truth: Floats, held: Held) -> Voices:
    """Return the voices after one Newton step towards the judges' numbers that make the truth likeliest."""
    share = sigmoid(total(labels.item, from_judges(labels, voices), len(truth)))
    at = np.concatenate([voices.slope, voices.leniency, voices.bias.ravel()])
    bend = share * (1 - share)

    def curved(vector: Floats) -> Floats:
        moved = from_judges(labels, _apart(vector, voices))
        return _back(labels, voices, bend * total(labels.item, moved, len(truth))) + held.pull * vector

    gradient = _back(labels, voices, truth - share) - held.pull * (at - held.at)
    return _apart(at + _solved(curved, gradient), voices)


def _apart(vector: Floats, like: Voices) -> Voices:
    n = len(like.slope)
    return like._replace(slope=vector[:n], leniency=vector[n : 2 * n], bias=vector[2 * n :].reshape(like.bias.shape))


def _back(labels: Labels, voices: Voices, error: Floats) -> Floats:
    """Return the transposed of `from_judges`: by how much each coefficient moves what is off."""
    mine, n, sources = labels.weight * error[labels.item], len(voices.slope), len(voices.bias)
    bias = [total(labels.source, mine * column, sources) for column in labels.features.T]
    return np.concatenate([
        total(labels.voice, mine * labels.said, n), -total(labels.voice, mine * labels.lean, n),
        -np.stack(bias, axis=1).ravel() if bias else np.zeros(0),
    ])  # fmt: skip


def _solved(curved: Callable[[Floats], Floats], wanted: Floats) -> Floats:
    """Return x with curved(x) = wanted, by conjugate gradients from 0."""
    x, rest = np.zeros_like(wanted), wanted.copy()
    way, size = rest.copy(), float(rest @ rest)
    enough = CLOSE**2 * size
    for _ in range(TURNS):
        if size <= enough:
            break
        bent = curved(way)
        far = size / float(way @ bent)
        x, rest = x + far * way, rest - far * bent
        before, size = size, float(rest @ rest)
        way = rest + size / before * way
    return x
