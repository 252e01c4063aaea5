"""Small plots as inline SVG, drawn from numbers alone. Colours and fonts come from the page's style sheet, by class."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from caif.intervals import Estimate
from caif.report.show import number, visible

Points = Sequence[Sequence[float]]


class Span(NamedTuple):
    """The stretch of numbers that an axis covers."""

    low: float
    high: float

    def at(self, value: float, start: float, end: float) -> str:
        """Return where a value lies between two ends of a drawing; what is off the axis stays on its edge."""
        place = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return f"{start + place * (end - start):.1f}"


def span_of(estimates: Sequence[Estimate], *marks: float) -> Span:
    """Return an axis that holds all intervals and marks, with a little air."""
    values = [v for e in estimates for v in (e["mean"], e["low"], e["high"]) if v is not None] + list(marks)
    low, high = min(values, default=0.0), max(values, default=1.0)
    air = 0.06 * (high - low) or max(abs(high), 1.0) * 0.5
    return Span(low - air, high + air)


def strip(rows: Sequence[tuple[str, Estimate]], span: Span, mark: float | None = None) -> str:
    """Draw intervals below each other on one axis: (class, estimate) rows, and a line where nothing changes."""
    width, step = 180, 13
    height = step * len(rows) + 3
    parts = (
        [_line("mark", span.at(mark, 4, width - 4), 0, span.at(mark, 4, width - 4), height)] if mark is not None else []
    )
    for n, (name, row) in enumerate(rows):
        y = n * step + 8
        parts.append(_line("rail", 4, y, width - 4, y))
        if row["low"] is not None and row["high"] is not None:
            parts.append(
                _line(f"whisker {name}", span.at(row["low"], 4, width - 4), y, span.at(row["high"], 4, width - 4), y)
            )
        parts.append(f'<circle class="dot {name}" cx="{span.at(row["mean"], 4, width - 4)}" cy="{y}" r="3.6"/>')
    label = "; ".join(number(row["mean"]) for _, row in rows)
    return _svg("strip", width, height, f"interval plot: {label}", parts)


def axis(span: Span, mark: float | None = None, unit: str = "") -> str:
    """Draw the numbers under a column of strips."""
    width, height = 180, 16
    scale, sign = (100, " %") if unit == "%" else (1, "")
    parts = []
    for value, text in ticks(Span(span.low * scale, span.high * scale), 3):
        x = span.at(value / scale, 4, width - 4)
        parts.append(_line("tick", x, 0, x, 3))
        parts.append(_text(x, 13, text + sign, _anchor(float(x), width)))
    if mark is not None:
        parts.append(_line("mark", span.at(mark, 4, width - 4), 0, span.at(mark, 4, width - 4), 4))
    return _svg("strip", width, height, f"axis from {number(span.low)} to {number(span.high)}", parts)


def lines(points: Points, label: str, mark: float | None = None) -> str:
    """Draw one series over the steps, with its running mean once it is long enough to be noisy, and a line at a bound."""
    width, height, left, right, top, bottom = 330, 150, 46, 322, 8, 128
    xs = Span(points[0][0], max(points[-1][0], points[0][0] + 1))
    ys = span_of([{"mean": y, "low": None, "high": None} for _, y in points], *([] if mark is None else [mark]))
    parts = [] if mark is None else [_line("mark", left, ys.at(mark, bottom, top), right, ys.at(mark, bottom, top))]
    for value, text in ticks(ys, 3):
        y = ys.at(value, bottom, top)
        parts += [_line("rail", left, y, right, y), _text(left - 6, float(y) + 3.5, text, "end")]
    for value in dict.fromkeys((points[0][0], points[-1][0])):
        parts.append(
            _text(xs.at(value, left, right), 144, number(int(value)), "start" if value == points[0][0] else "end")
        )
    parts.append(_text((left + right) / 2, 144, "step", "middle"))
    window = len(points) // 10
    for name, series in [("raw", points), *([("mean", running(points, window))] if window > 1 else [])]:
        path = " ".join(f"{xs.at(x, left, right)},{ys.at(y, bottom, top)}" for x, y in series)
        parts.append(f'<polyline class="series {name}{"" if window > 1 else " alone"}" points="{path}"/>')
    if len(points) == 1:
        parts.append(f'<circle class="dot policy" cx="{left}" cy="{ys.at(points[0][1], bottom, top)}" r="3.6"/>')
    return _svg("lines", width, height, f"{label}: from {number(points[0][1])} to {number(points[-1][1])}", parts)


def running(points: Points, window: int) -> list[tuple[float, float]]:
    """Return the mean over the points up to `window` away on each side."""
    means = []
    for n, (x, _) in enumerate(points):
        near = [y for _, y in points[max(0, n - window) : n + window + 1]]
        means.append((x, sum(near) / len(near)))
    return means


def reliability(points: Sequence[dict[str, float]]) -> str:
    """Draw how often what was predicted came true, a disc a bin, its area by the bin's rows; on the line is right."""
    size, left, bottom = 284, 50, 222
    # Turned to the side that the model prefers, predictions begin at one half.
    xs = Span(0.5 if min(point["predicted"] for point in points) >= 0.5 else 0.0, 1)
    ys = Span(min(xs.low, math.floor(4 * min(point["observed"] for point in points)) / 4), 1)
    right, most = size - 10, max(point["n"] for point in points)
    parts = [_line("mark", left, ys.at(xs.low, bottom, 8), right, 8)]
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        if value >= ys.low:
            y = ys.at(value, bottom, 8)
            parts += [_line("rail", left, y, right, y), _text(left - 6, float(y) + 3.5, f"{value:g}", "end")]
        if value >= xs.low:
            x = xs.at(value, left, right)
            parts += [_line("rail", x, 8, x, bottom), _text(x, bottom + 14, f"{value:g}", "middle")]
    for point in points:
        x, y = xs.at(point["predicted"], left, right), ys.at(point["observed"], bottom, 8)
        parts.append(f'<circle class="disc" cx="{x}" cy="{y}" r="{2 + 5 * math.sqrt(point["n"] / most):.1f}"/>')
    parts.append(_text((left + right) / 2, bottom + 30, "predicted", "middle"))
    parts.append(
        f'<text class="label" transform="translate(10 {bottom / 2}) rotate(-90)" text-anchor="middle">observed</text>'
    )
    return _svg("reliability", size, bottom + 36, f"reliability plot with {len(points)} bins", parts)


def gains(table: Mapping[str, Any]) -> str:
    """Draw proxy and gold over the square root of the KL, with the gold's intervals and its fitted curve."""
    points, curve = table["points"], table["curves"].get("best_of_n")
    others = table["rl_points"]
    xs = Span(0.0, max([p["d"] for p in points] + [d for d, _ in others]) * 1.05)
    ys = span_of([p[name] for p in points for name in ("proxy", "gold")], 0.0, *(gain for _, gain in others))
    parts = _pushed_axes(xs, ys)
    for name, style in (("proxy", "s-base"), ("gold", "s-policy")):
        for p in points:
            x, row = xs.at(p["d"], *PUSHED.across), p[name]
            if name == "gold" and row["low"] is not None:
                low, high = (ys.at(row[end], *PUSHED.up) for end in ("low", "high"))
                parts.append(_line(f"whisker {style}", x, low, x, high))
            parts.append(_dot(style, x, ys.at(row["mean"], *PUSHED.up), 3.6))
    parts += [_dot("s-tuned", xs.at(d, *PUSHED.across), ys.at(gain, *PUSHED.up), 4.6) for d, gain in others]
    if curve:
        parts.append(_curve(xs, ys, lambda d: d * (curve["alpha"] - curve["beta"] * d)))
    last = points[-1]
    label = f"best of {last['n']}: proxy {number(last['proxy']['mean'])}, gold {number(last['gold']['mean'])}"
    return _svg("lines", PUSHED.width, PUSHED.height, label, parts)


def trail(table: Mapping[str, Any]) -> str:
    """Draw what RL's steps did to proxy and gold over the square root of the KL, with the gold's fitted curve."""
    points, curve = table["points"], table["curve"]
    xs = Span(0.0, max(p["d"] for p in points) * 1.05)
    ys = span_of([], 0.0, *(p[name] for p in points for name in ("proxy", "gold")))
    parts = _pushed_axes(xs, ys)
    for name, style in (("proxy", "s-base"), ("gold", "s-policy")):
        parts += [_dot(style, xs.at(p["d"], *PUSHED.across), ys.at(p[name], *PUSHED.up), 2.4) for p in points]
    parts.append(_curve(xs, ys, lambda d: d * (curve["alpha"] - curve["beta"] * math.log(d)) if d else 0.0))
    label = f"RL: proxy and gold of {len(points)} steps, gold from {number(points[0]['gold'])} to {number(points[-1]['gold'])}"
    return _svg("lines", PUSHED.width, PUSHED.height, label, parts)


class Box(NamedTuple):
    """A drawing's size, and where its axes run in it: from left to right, and from the bottom up."""

    width: float
    height: float
    across: tuple[float, float]
    up: tuple[float, float]


PUSHED = Box(420, 220, (46, 410), (188, 10))


def _pushed_axes(xs: Span, ys: Span) -> list[str]:
    (left, right), (bottom, _) = PUSHED.across, PUSHED.up
    parts = [_line("mark", left, ys.at(0.0, *PUSHED.up), right, ys.at(0.0, *PUSHED.up))]
    for value, text in ticks(ys, 4):
        y = ys.at(value, *PUSHED.up)
        parts += [_line("rail", left, y, right, y), _text(left - 6, float(y) + 3.5, text, "end")]
    for value, text in ticks(xs, 5):
        parts.append(_text(xs.at(value, left, right), bottom + 16, text, "middle"))
    return [*parts, _text((left + right) / 2, bottom + 30, "√KL in nats", "middle")]


def _curve(xs: Span, ys: Span, gain: Callable[[float], float]) -> str:
    path = [(d, gain(d)) for d in (k * xs.high / 60 for k in range(61))]
    joined = " ".join(f"{xs.at(d, *PUSHED.across)},{ys.at(value, *PUSHED.up)}" for d, value in path)
    return f'<polyline class="series raw" points="{joined}"/>'


def _dot(style: str, x: str, y: str, radius: float) -> str:
    return f'<circle class="dot {style}" cx="{x}" cy="{y}" r="{radius}"/>'


def bar(part: float) -> str:
    """Draw a share of a whole as a bar."""
    return _svg(
        "bar",
        100,
        6,
        f"{100 * part:.0f} per cent",
        [f'<rect class="part" width="{100 * part:.1f}" height="6" rx="1"/>'],
    )


def ticks(span: Span, count: int) -> list[tuple[float, str]]:
    """Return about `count` round numbers within a span, each with how it is written."""
    power = 10.0 ** math.floor(math.log10((span.high - span.low) / count))

    def places(step: float) -> range:
        return range(math.ceil(span.low / step - 1e-9), math.floor(span.high / step + 1e-9) + 1)

    step = min((power * k for k in (10, 5, 2, 1)), key=lambda step: abs(len(places(step)) - count))
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [n * step for n in places(step)]
    texts = [f"{value:.{digits}f}" if digits < 5 and abs(value) < 1e5 else f"{value:.3g}" for value in values]
    return [(value, text.replace("-", "\u2212")) for value, text in zip(values, texts, strict=True)]


def _anchor(x: float, width: float) -> str:
    return "start" if x < 14 else "end" if x > width - 14 else "middle"


def _line(name: str, *ends: float | str) -> str:
    x1, y1, x2, y2 = ends
    return f'<line class="{name}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _text(x: float | str, y: float, text: str, anchor: str) -> str:
    return f'<text class="label" x="{x}" y="{y}" text-anchor="{anchor}">{escape(str(visible(text)))}</text>'


def _svg(name: str, width: float, height: float, label: str, parts: Sequence[str]) -> str:
    said = escape(str(visible(label)), quote=True)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg class="{name}" {size} role="img" aria-label="{said}">{"".join(parts)}</svg>'
