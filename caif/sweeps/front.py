"""Which points no other point beats in everything, and how much of the space they dominate. More is better throughout."""

from collections.abc import Sequence

Point = Sequence[float]


def beats(one: Point, other: Point) -> bool:
    """Whether a point is nowhere below another and somewhere above it."""
    return all(a >= b for a, b in zip(one, other, strict=True)) and any(a > b for a, b in zip(one, other, strict=True))


def front(points: Sequence[Point]) -> list[int]:
    """Return the numbers of the points that no other point beats (the Pareto front), in the order given."""
    return [n for n, point in enumerate(points) if not any(beats(other, point) for other in points)]


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Return the volume between the reference and the points: exact, for any number of objectives.

    By slices of the last objective; each is the volume, in one objective less, of the points that reach that high. What
    does not lie above the reference in everything adds nothing.
    """
    above = [tuple(p) for p in points if all(x > r for x, r in zip(p, reference, strict=True))]
    if not above:
        return 0.0
    if len(reference) == 1:
        return max(p[0] for p in above) - reference[0]
    heights = sorted({p[-1] for p in above}, reverse=True)
    volume = 0.0
    for top, bottom in zip(heights, [*heights[1:], reference[-1]], strict=True):
        reaching = [p[:-1] for p in above if p[-1] >= top]
        volume += (top - bottom) * hypervolume(reaching, reference[:-1])
    return volume
