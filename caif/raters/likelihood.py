"""What a label is evidence for. People's sides and judges' numbers are read in two ways.

A person says 1 with probability q(z) = (1 - spam) sigmoid(slope * sign * z + leniency * lean) + spam / 2, where z, +1 or -1,
is what is true of the item (METHODS 4.4). With two truths this is Dawid and Skene's table of a rater by other names.

A judge's number is not explained but used: the truth's log-odds are slope * number - leniency * lean - bias . features,
as a logistic regression finds them against what people say (Raykar et al. 2010). So how a judge's numbers are distributed
teaches nothing, only whether people bear them out; a bias is taken off the number before its size is believed; and a
judge's ten principles are weighed together, not as ten strangers.
"""

from typing import NamedTuple

import numpy as np

from caif.raters.labels import Labels
from caif.raters.votes import Floats


class Voices(NamedTuple):
    """What is believed of each voice, and of each source's bias by feature, [sources, k]."""

    slope: Floats
    leniency: Floats
    spam: Floats
    bias: Floats


class Read(NamedTuple):
    """Each side under either truth, all [2, labels], of people's labels.

    The log-likelihood, how probable it is that the side was meant, and the log-likelihood's first derivative by the argument
    of sigmoid and its curvature, both given that it was meant.
    """

    logs: Floats
    meant: Floats
    error: Floats
    bend: Floats


def read(labels: Labels, voices: Voices) -> Read:
    """Return how likely each label is."""
    push, rest = voices.slope[labels.voice] * labels.sign, voices.leniency[labels.voice] * labels.lean
    sigma, spam = sigmoid(np.stack([rest + push, rest - push])), voices.spam[labels.voice]
    q = (1 - spam) * sigma + spam / 2
    likely = np.where(labels.for_one, q, 1 - q)
    meant = 1 - spam / 2 / likely
    return Read(np.log(likely), meant, meant * (labels.for_one - sigma), meant * sigma * (1 - sigma))


def from_people(labels: Labels, voices: Voices) -> Floats:
    """Return the log-odds that each side adds to the truth being +."""
    logs = read(labels, voices).logs
    return np.asarray(labels.weight * (logs[0] - logs[1]))


def from_judges(labels: Labels, voices: Voices) -> Floats:
    """Return the log-odds that each number adds to the truth being +."""
    number = voices.slope[labels.voice] * labels.said - voices.leniency[labels.voice] * labels.lean
    return np.asarray(labels.weight * (number - np.einsum("nk,nk->n", voices.bias[labels.source], labels.features)))


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), also where exp(-x) would overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))
