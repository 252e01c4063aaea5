"""Whether longer answers are preferred: a logistic slope without intercept, so that it does not matter which is a."""

import math
from collections.abc import Sequence
from typing import Any

from caif.data import Comparison

STEEPEST = 20.0
"""Where every choice goes by length the slope has no largest value: this stands for it."""
Z = 1.959964


def length_slope(rows: Sequence[tuple[str, Comparison, float]]) -> dict[str, Any] | None:
    """Return the logistic slope of the choice of a on log(characters of a / characters of b), per prompt rows.

    At a slope of 1 an answer twice as long is chosen twice as often as not. None where no lengths differ.
    """
    return logistic_slope(
        [(prompt, math.log(len(c.a) / len(c.b)), choice) for prompt, c, choice in rows if c.a and c.b]
    )


def logistic_slope(kept: Sequence[tuple[str, float, float]]) -> dict[str, Any] | None:
    """Return the slope of P(choice) = sigmoid(slope x) without intercept, from (prompt, x, choice) rows; None if x is 0.

    The choice is 1, 0 or one half for a tie. The interval is from the sandwich variance over prompts.
    """
    import numpy as np

    x, y = np.array([x for _, x, _ in kept]), np.array([choice for *_, choice in kept])
    if not np.any(x):
        return None
    low, high = -STEEPEST, STEEPEST
    for _ in range(60):  # the derivative of the log-likelihood falls, so its zero is found by halving
        middle = (low + high) / 2
        low, high = (middle, high) if np.sum(x * (y - _sigmoid(middle * x))) > 0 else (low, middle)
    slope = (low + high) / 2
    p = _sigmoid(slope * x)
    by_prompt: dict[str, float] = {}
    for (prompt, *_), score in zip(kept, x * (y - p), strict=True):
        by_prompt[prompt] = by_prompt.get(prompt, 0.0) + float(score)
    bread = float(np.sum(x * x * p * (1 - p)))
    error = math.sqrt(sum(score**2 for score in by_prompt.values())) / bread if bread > 1e-9 else math.inf
    known = len(by_prompt) > 1 and abs(slope) < STEEPEST - 0.01 and math.isfinite(error)
    ends = (slope - Z * error, slope + Z * error) if known else (None, None)
    return {"mean": slope, "low": ends[0], "high": ends[1], "n": len(by_prompt)}


def _sigmoid(x: Any) -> Any:
    import numpy as np

    return 0.5 * (1 + np.tanh(x / 2))
