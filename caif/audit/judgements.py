"""How a judge behaves, read from its judgements alone: no other opinion is needed for any of this.

Rates come with intervals over prompts; what opens with the same message counts as one prompt, as it does for splits.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Any

from caif.audit.agreement import grouped
from caif.audit.bootstrap import of_share, of_sums, ratio, redraw
from caif.audit.length import length_slope
from caif.data import Judgement
from caif.judge import MIN_MASS, read_letter
from caif.models.account import Price
from caif.models.resolve import is_local

RATES = {
    "flip_rate": ("flipped", "both"), "position_bias": ("first", "both"), "position_bias_second": ("second", "both"),
    "self_consistency": ("agreeing", "repeated"), "ties": ("tie", "judged"),
    "abstained": ("abstained", "all"), "longer_preferred": ("longer", "lengths"), "suspected_injection": ("suspected", "all"),
}  # fmt: skip
"""Each rate as the share of one sum in another: see `_parts`."""
PARTS = (
    "all", "judged", "abstained", "tie", "suspected", "both", "flipped", "first", "second", "lean", "repeated", "agreeing",
    "lengths", "longer",
)  # fmt: skip
_MASS = re.compile(r"mass (\d+\.\d+) on the ")


def behaviour(
    rows: Sequence[Judgement], draws: int, seed: int, floor: float = MIN_MASS, prices: Mapping[str, Price] | None = None
) -> dict[str, Any]:
    """Return all that can be said of these judgements; a rate that nothing bears on is None.

    `flip_rate`: the two orders preferred different answers; of that, `position_bias` is the answer shown first in both
    orders and `position_bias_second` the one shown second; `position_lean` is half the difference of the log-odds, above
    0 for the first place (METHODS 3.2). `self_consistency`: how often two votes on one question agree; other methods
    read a question once. `mass`: what the judge put on its options at all. `longer_preferred` and `length_slope`: see
    `length`. `price` is None unless every judge's is known.
    """
    if not rows:
        return {"judgements": 0}
    parts = grouped([(row.comparison.prompt.opening, _parts(row)) for row in rows])
    redrawn = redraw(parts, draws, seed)
    rates = {name: of_share(PARTS.index(over), PARTS.index(under), parts, redrawn) for name, (over, under) in RATES.items()}
    return {
        "judgements": len(rows),
        "prompts": len(parts),
        **rates,
        "position_lean": of_sums(ratio(PARTS.index("lean"), PARTS.index("both")), parts, redrawn),
        "length_slope": length_slope([(r.comparison.prompt.opening, r.comparison, choice) for r in rows
                                      if (choice := chosen(r)) is not None]),
        "verdicts": dict(sorted(Counter(row.verdict for row in rows).items())),
        "reasons": dict(Counter(row.reason for row in rows if row.p_a is None and row.reason).most_common(5)),
        "mass": _masses(rows, floor),
        "tokens_in": sum(row.tokens_in for row in rows),
        "tokens_out": sum(row.tokens_out for row in rows),
        "price": _price(rows, prices or {}),
    }  # fmt: skip


def chosen(row: Judgement) -> float | None:
    """Return 1 for a, 0 for b, one half for a tie, None for an abstention."""
    return {"a": 1.0, "b": 0.0, "tie": 0.5}.get(row.verdict)


def _parts(row: Judgement) -> list[float]:
    judged, choice = row.p_a is not None, chosen(row)
    both = row.logit_ab is not None and row.logit_ba is not None
    ab, ba = (row.logit_ab or 0.0, row.logit_ba or 0.0) if both else (0.0, 0.0)
    repeated, agreeing = _votes(row)
    gap = len(row.comparison.a) - len(row.comparison.b)
    lengths = gap != 0 and choice is not None
    longer = (choice if gap > 0 else 1 - choice) if lengths and choice is not None else 0.0
    return [
        1.0, float(judged), float(not judged), float(row.verdict == "tie"), float(row.suspected_injection),
        float(both), float(both and ab * ba < 0), float(both and ab > 0 > ba), float(both and ab < 0 < ba), (ab - ba) / 2,
        repeated, agreeing, float(lengths), longer,
    ]  # fmt: skip


def _votes(row: Judgement) -> tuple[float, float]:
    """Return how many pairs of votes there are within an order, and how many of them agree."""
    if row.method != "votes":
        return 0.0, 0.0
    half = len(row.said) // 2
    pairs = [
        pair
        for votes in (row.said[:half], row.said[half:])
        for pair in combinations(filter(None, map(read_letter, votes)), 2)
    ]
    return float(len(pairs)), float(sum(one == other for one, other in pairs))


def _masses(rows: Sequence[Judgement], floor: float) -> dict[str, Any] | None:
    """Return the median mass on the options and the share below the floor, of judgements that have one.

    Too little mass makes a judgement invalid, and then its reason says how much there was.
    """
    found = [row.mass for row in rows if row.mass is not None]
    found += [float(said.group(1)) for row in rows if row.mass is None and (said := _MASS.match(row.reason))]
    if not found:
        return None
    below = sum(mass < floor for mass in found) / len(found)
    return {"median": median(found), "below_floor": below, "floor": floor, "n": len(found)}


def _price(rows: Sequence[Judgement], prices: Mapping[str, Price]) -> float | None:
    """Return what the rows have cost; what runs on this machine is free unless it has a price."""
    known = {name: prices.get(name, Price(0, 0) if is_local(name) else None) for name in {row.judge for row in rows}}
    costs = [price.of(row.tokens_in, row.tokens_out) for row in rows if (price := known[row.judge])]
    return sum(costs) if len(costs) == len(rows) else None
