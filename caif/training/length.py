"""What of a score the length of an answer explains, taken from it: a head that a longer answer alone does not please."""

import torch
from torch import Tensor


def length_slopes(features: Tensor, length: Tensor, prompt: Tensor) -> Tensor:
    """Return each feature's regression slope on log length among answers to the same prompt; 0 where lengths are equal.

    `features` [answers, width] less `length` [answers, 1] times the slopes is uncorrelated with length within prompts, and so is every
    linear head on them.
    """
    inputs, own = _centred(features, prompt), _centred(length, prompt)
    return (own * inputs).sum(0) / (own**2).sum().clamp(min=1e-9)


def _centred(values: Tensor, prompt: Tensor) -> Tensor:
    """Return what is left of the values when each prompt's mean is taken away."""
    sums = torch.zeros(int(prompt.max()) + 1, values.shape[1], dtype=values.dtype).index_add_(0, prompt, values)
    return values - (sums / prompt.bincount()[:, None])[prompt]
