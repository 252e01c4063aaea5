"""What is told of a mixture: by source what is in and what it weighs, and what became of everything that came in."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from caif.mixture.rows import Bools, Rows, named
from caif.mixture.shares import effective, judged
from caif.mixture.tally import Tally
from caif.mixture.thumbs import DERIVED

KINDS = ("pairs", "thumbs")


def numbers(
    parts: Sequence[Rows], heldout: Sequence[Bools], tally: Tally, factors: Mapping[str, float]
) -> dict[str, Any]:
    """Return the numbers. `effective` is how many rows of one weight know as much as those that are trained on."""
    trained = [rows.kept & ~out for rows, out in zip(parts, heldout, strict=True)]
    found: dict[str, Any] = {
        "sources": by_source(parts, heldout),
        "train": sum(int(mine.sum()) for mine in trained),
        "effective": effective(np.concatenate([rows.weight[mine] for rows, mine in zip(parts, trained, strict=True)])),
        "flow": {name: dict(counts) for name, counts in sorted(tally.sources.items())},
    }
    return found | ({"factors": dict(factors)} if factors else {})


def by_source(parts: Sequence[Rows], heldout: Sequence[Bools]) -> dict[str, dict[str, float]]:
    """Return for each source its pairs, thumbs, rows of either side, weight, and effective number of rows trained on."""
    table: dict[str, dict[str, float]] = defaultdict(dict)
    weights: dict[str, list[Any]] = defaultdict(list)
    for kind, rows, out in zip(KINDS, parts, heldout, strict=True):
        codes, names = named(rows.column("source"))
        for what, which in ((kind, rows.kept), ("train", rows.kept & ~out), ("heldout", rows.kept & out)):
            for name, times in zip(names, np.bincount(codes[which], minlength=len(names)).tolist(), strict=True):
                if times:
                    table[name][what] = table[name].get(what, 0) + times
        total = np.bincount(codes[rows.kept], rows.weight[rows.kept], len(names)).tolist()
        for n, name in enumerate(names):
            if name in table:
                table[name]["weight"] = table[name].get("weight", 0.0) + total[n]
                weights[name].append(rows.weight[rows.kept & ~out & (codes == n)])
    for name, some in weights.items():
        table[name]["effective"] = effective(np.concatenate(some))
    return dict(sorted(table.items()))


def people(said: Sequence[Rows]) -> int:
    """Return how many raters are named in what was said and is in, before other rows were made of it; judges are none."""
    names: set[str] = set()
    for rows in said:
        codes, raters = named(rows.column("rater"))
        names |= {raters[n] for n in np.unique(codes[rows.kept & ~judged(rows)]).tolist()}
    return len(names - {"", DERIVED})
