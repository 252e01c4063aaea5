"""What changes from step to step by rule: the weights of rewards, and how strongly the policy is held to its start."""

from bisect import bisect_right

from caif.sections.rl import Schedule

RATE, SURPRISE = 0.5, 0.2
LEAST, MOST = 0.1, 100.0
"""How far a steered beta may leave the run file's, as factors."""


def weight_at(weight: float | Schedule, step: int) -> float:
    """Return a weight at a step: before the first point and after the last it is that point's."""
    if not isinstance(weight, Schedule):
        return weight
    points = weight.points
    place = bisect_right([at for at, _ in points], step)
    if place == 0 or place == len(points) or weight.table is not None:
        return points[max(place - 1, 0)][1]
    (before, low), (after, high) = points[place - 1], points[place]
    return low + (high - low) * (step - before) / (after - before)


def next_beta(beta: float, kl: float, target: float, first: float) -> float:
    """Return the KL's weight for the next step, from the KL that was measured (Ziegler et al. 2019, 1909.08593, 2.2).

    Proportional control of its logarithm: one step never changes it by more than a tenth, however far off the KL is.
    """
    error = min(max(kl / target - 1, -SURPRISE), SURPRISE)
    return min(max(beta * (1 + RATE * error), LEAST * first), MOST * first)
