"""A sweep as one HTML file that opens offline: the front drawn, every point with its intervals, and every run."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import combinations
from typing import Any

from caif.sweeps.drawing import Row, figure

STYLE = """
:root { color-scheme: light dark; --ink: #2b2a27; --paper: #fdfcf9; --faint: #a39d90; --front: #c2510f; --point: #2271b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e2d9; --paper: #1b1a18; --faint: #7d776b; --front: #f0924d; --point: #6cb0e6; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .2rem .8rem .2rem 0; text-align: left; }
.num { font-variant-numeric: tabular-nums; } .faint { color: var(--faint); } figure { display: inline-block; margin: 0 1rem 1rem 0; }
svg text { fill: var(--ink); font-size: 11px; } .axis { stroke: var(--faint); fill: none; }
.tick { stroke: var(--faint); stroke-opacity: .25; } svg { max-width: 100%; height: auto; }
.line { stroke: var(--front); fill: none; }
.point { fill: var(--point); stroke: var(--point); } .front { fill: var(--front); stroke: var(--front); }
.bounded { fill: var(--paper); stroke-width: 1.5; }
"""


def page(found: Mapping[str, Any]) -> str:
    """Return the page of a sweep's numbers. All text from data is escaped, and there is no script and no link."""
    points, objectives = found["points"], found["objectives"]
    drawn = "".join(figure(points, x, y) for x, y in combinations(objectives, 2))
    volume = found["hypervolume"]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sweep: {escape(found["name"])}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>
<h1>Sweep: {escape(found["name"])}</h1>
<p>{len(found["runs"])} runs, {len(points)} points. Measured by {escape(found["measure"])} on held-out prompts, from 0 to 1,
interquartile means over seeds with 95 % intervals by bootstrap over seeds. No point of the front is beaten by another in
everything; which of them is best is for people to say. The axes cover what was found.{_drawn(points)}</p>
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
