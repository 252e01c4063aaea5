"""A sweep as one HTML file that opens offline: the front drawn, every point with its intervals, and every run."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import combinations
from typing import Any

SIZE, EDGE = 340, 44
STYLE = """
:root { color-scheme: light dark; --ink: #2b2a27; --paper: #fdfcf9; --faint: #a39d90; --front: #c2510f; --point: #2271b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e2d9; --paper: #1b1a18; --faint: #7d776b; --front: #f0924d; --point: #6cb0e6; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .2rem .8rem .2rem 0; text-align: left; }
.num { font-variant-numeric: tabular-nums; } .faint { color: var(--faint); } figure { display: inline-block; margin: 0 1rem 1rem 0; }
svg text { fill: var(--ink); font-size: 11px; } .axis { stroke: var(--faint); fill: none; } .line { stroke: var(--front); fill: none; }
.point { fill: var(--point); stroke: var(--point); } .front { fill: var(--front); stroke: var(--front); }
.bounded { fill: var(--paper); stroke-width: 1.5; }
"""

Row = Mapping[str, Any]


def page(found: Mapping[str, Any]) -> str:
    """Return the page of a sweep's numbers. All text from data is escaped, and there is no script and no link."""
    points, objectives = found["points"], found["objectives"]
    drawn = "".join(_figure(points, x, y) for x, y in combinations(objectives, 2))
    volume = found["hypervolume"]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sweep: {escape(found["name"])}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>
<h1>Sweep: {escape(found["name"])}</h1>
<p>{len(found["runs"])} runs, {len(points)} points. Measured by {escape(found["measure"])} on held-out prompts, from 0 to 1,
interquartile means over seeds with 95 % intervals by bootstrap over seeds. No point of the front is beaten by another in
everything; which of them is best is for people to say.{_drawn(points)}</p>
{drawn}
<table><thead><tr><th>Point</th>{"".join(f"<th>{escape(name)}</th>" for name in objectives)}<th>Seeds</th><th>Front</th>
<th>Adds to the volume</th></tr></thead><tbody>{"".join(_row(point, objectives) for point in points)}</tbody></table>
<p>Volume that the front dominates, from 0 in every objective: {_interval(volume)}.{_alone(points)}</p>
{_bounds(found["runs"])}<h2>Runs</h2>
<table><thead><tr><th>Run</th><th>Seed</th>{"".join(f"<th>{escape(name)}</th>" for name in objectives)}</tr></thead>
<tbody>{"".join(_run(run, objectives) for run in found["runs"])}</tbody></table>
</body></html>
"""


def _alone(points: Sequence[Row]) -> str:
    return (
        "" if any(p["seeds"] > 1 for p in points) else " One seed shows no spread: raise --seeds before you believe it."
    )


def _interval(row: Row) -> str:
    around = "" if row["low"] is None else f' <span class="faint">[{row["low"]:.3f}, {row["high"]:.3f}]</span>'
    return f'<span class="num">{row["value"]:.3f}{around}</span>'


def _drawn(points: Sequence[Row]) -> str:
    return " Empty circles are points held to a bound." if any(p["bounds"] for p in points) else ""


def _bounds(runs: Sequence[Row]) -> str:
    """Return the table of what became of each bound, empty if there was none."""
    rows = [(run, bound) for run in runs for bound in run["kept"]]
    if not rows:
        return ""
    return (
        "<h2>Bounds</h2>\n<p>Mean reward of the policy's answers to held-out prompts, with the 95 % interval over prompts; "
        "a bound is kept if the interval reaches it.</p>\n"
        "<table><thead><tr><th>Bound</th><th>Seed</th><th>Mean reward</th><th>Kept</th></tr></thead><tbody>"
        f"{''.join(_bound(run, bound) for run, bound in rows)}</tbody></table>\n"
    )


def _bound(run: Row, bound: Row) -> str:
    if bound["held"] is None:
        cells = "<td>not measured</td><td></td>"
    else:
        around = f'<span class="faint">[{bound["low"]:.3f}, {bound["high"]:.3f}]</span>'
        cells = f'<td class="num">{bound["mean"]:.3f} {around}</td><td>{"yes" if bound["held"] else "no"}</td>'
    return f'<tr><td>{escape(bound["said"])}</td><td class="num">{run["seed"]}</td>{cells}</tr>'


def _row(point: Row, objectives: Sequence[str]) -> str:
    cells = "".join(f"<td>{_interval(point['objectives'][name])}</td>" for name in objectives)
    return (
        f'<tr><td>{escape(point["point"])}</td>{cells}<td class="num">{point["seeds"]}</td>'
        f'<td>{"yes" if point["front"] else "no"}</td><td class="num">{point["adds"]:.3f}</td></tr>'
    )


def _run(run: Row, objectives: Sequence[str]) -> str:
    cells = "".join(f'<td class="num">{run["values"][name]:.3f}</td>' for name in objectives)
    return f'<tr><td>{escape(run["run"])}</td><td class="num">{run["seed"]}</td>{cells}</tr>'


def _at(value: float, *, up: bool) -> float:
    return round(SIZE - EDGE - value * (SIZE - 2 * EDGE) if up else EDGE + value * (SIZE - 2 * EDGE), 1)


def _figure(points: Sequence[Row], x: str, y: str) -> str:
    """Draw two objectives, each from 0 to 1, with a cross of intervals at every point and a line along the front."""
    low, high = _at(0, up=False), _at(1, up=False)
    parts = [f'<path class="axis" d="M{low} {_at(1, up=True)}V{_at(0, up=True)}H{high}"/>']
    for end in (0, 1):
        parts.append(f'<text x="{_at(end, up=False)}" y="{SIZE - EDGE + 14}" text-anchor="middle">{end}</text>')
        parts.append(f'<text x="{EDGE - 8}" y="{_at(end, up=True) + 4}" text-anchor="end">{end}</text>')
    parts.append(f'<text x="{SIZE / 2}" y="{SIZE - 8}" text-anchor="middle">{escape(x)}</text>')
    parts.append(f'<text transform="translate(14 {SIZE / 2}) rotate(-90)" text-anchor="middle">{escape(y)}</text>')
    ends = sorted((p["objectives"][x]["value"], p["objectives"][y]["value"]) for p in points if p["front"])
    parts.append(
        f'<polyline class="line" points="{" ".join(f"{_at(a, up=False)},{_at(b, up=True)}" for a, b in ends)}"/>'
    )
    parts += [_mark(point, x, y) for point in points]
    label = f"{len(points)} points: {escape(x)} across, {escape(y)} up"
    return (
        f'<figure><svg role="img" aria-label="{label}" width="{SIZE}" height="{SIZE}">{"".join(parts)}</svg></figure>'
    )


def _mark(point: Row, x: str, y: str) -> str:
    across, up = point["objectives"][x], point["objectives"][y]
    cx, cy, kind = _at(across["value"], up=False), _at(up["value"], up=True), "front" if point["front"] else "point"
    cross, hollow = "", ' class="bounded"' if point["bounds"] else ""
    if across["low"] is not None:
        cross = (f'<path d="M{_at(across["low"], up=False)} {cy}H{_at(across["high"], up=False)}'
                 f'M{cx} {_at(up["low"], up=True)}V{_at(up["high"], up=True)}"/>')  # fmt: skip
    return (
        f'<g class="{kind}"><title>{escape(point["point"])}</title>{cross}'
        f'<circle cx="{cx}" cy="{cy}" r="3.5"{hollow}/></g>'
    )
