"""Two objectives of a sweep as a drawing: every point with its intervals and its name, and a line along the front."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from caif.report.plots import Span, span_of, ticks

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 560, 380, 62, 14, 110, 48
"""The room on the right is for names."""

Row = Mapping[str, Any]


class Plane:
    """Where a pair of values lies in the drawing. Each axis covers what was found and no more, or nobody could see it."""

    def __init__(self, points: Sequence[Row], x: str, y: str) -> None:
        self.x, self.y = x, y
        self.across, self.up = (_span([p["objectives"][name] for p in points]) for name in (x, y))

    def right(self, value: float) -> str:
        """Return how far to the right."""
        return self.across.at(value, LEFT, WIDTH - RIGHT)

    def down(self, value: float) -> str:
        """Return how far down."""
        return self.up.at(value, HEIGHT - BOTTOM, TOP)


def figure(points: Sequence[Row], x: str, y: str) -> str:
    """Draw x across and y up, with a cross of intervals at every point."""
    plane = Plane(points, x, y)
    ends = sorted((p["objectives"][x]["value"], p["objectives"][y]["value"]) for p in points if p["front"])
    line = " ".join(f"{plane.right(a)},{plane.down(b)}" for a, b in ends)
    marks = "".join(_mark(point, plane) for point in points)
    label = f"{len(points)} points: {escape(x)} across, {escape(y)} up"
    return (
        f'<figure><svg role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}">'
        f'{_axes(plane)}<polyline class="line" points="{line}"/>{marks}</svg></figure>'
    )


def _span(found: Sequence[Row]) -> Span:
    return span_of([{"mean": one["value"], "low": one["low"], "high": one["high"], "n": 1} for one in found])


def _axes(plane: Plane) -> str:
    foot = HEIGHT - BOTTOM
    parts = [f'<path class="axis" d="M{LEFT} {TOP}V{foot}H{WIDTH - RIGHT}"/>']
    for value, text in ticks(plane.across, 4):
        parts.append(f'<path class="tick" d="M{plane.right(value)} {TOP}V{foot}"/>')
        parts.append(f'<text x="{plane.right(value)}" y="{foot + 15}" text-anchor="middle">{text}</text>')
    for value, text in ticks(plane.up, 4):
        parts.append(f'<path class="tick" d="M{LEFT} {plane.down(value)}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{plane.down(value)}" dy="4" text-anchor="end">{text}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(plane.x)}</text>'
    )
    parts.append(
        f'<text transform="translate(14 {(TOP + foot) / 2}) rotate(-90)" text-anchor="middle">{escape(plane.y)}</text>'
    )
    return "".join(parts)


def _mark(point: Row, plane: Plane) -> str:
    across, up = point["objectives"][plane.x], point["objectives"][plane.y]
    x, y, kind = plane.right(across["value"]), plane.down(up["value"]), "front" if point["front"] else "point"
    cross, hollow = "", ' class="bounded"' if point["bounds"] else ""
    if across["low"] is not None:
        cross = (f'<path d="M{plane.right(across["low"])} {y}H{plane.right(across["high"])}'
                 f'M{x} {plane.down(up["low"])}V{plane.down(up["high"])}"/>')  # fmt: skip
    return (
        f'<g class="{kind}">{cross}<circle cx="{x}" cy="{y}" r="3.5"{hollow}/></g>'
        f'<text x="{x}" y="{y}" dx="7" dy="-6">{escape(point["point"])}</text>'
    )
