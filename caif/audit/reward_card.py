"""The report card of a reward model: what it is worth on held-out prompts, what sways it, and how sure it may be.

Intervals are over prompts, drawn again with replacement: answers to one prompt stand or fall together.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from caif.audit.bootstrap import of_share, of_sums, ratio, redraw
from caif.audit.calibration import auroc, cuts, reliability, sigmoid
from caif.audit.heldout import Scored
from caif.audit.length import logistic_slope
from caif.data import Preference, Rating
from caif.intervals import CHANCE, share, side_of
from caif.report.numbers import plain
from caif.report.show import counted

DRAWS, BINS = 1000, 10
HITS, DECIDED, LOSS, BRIER, ROWS, FIRST_BIN = range(6)
"""Columns of what adds up over prompts; the bins of the calibration error follow."""
LONGER = ((0.5, "less than half as long"), (0.8, "shorter"), (1.25, "about as long"), (2.0, "longer"))
LONGEST = "more than twice as long"
STEEP = 1.0
"""A slope on length or style that is worth a word of caution."""
FEW = 10
"""Fewer prompts than this say nothing of a slope; where every choice goes one way it has no interval."""
STYLE = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s|^#{1,6}\s|\*\*|`", re.MULTILINE)
"""Marks of form: list items, headings, bold and code."""
Table = dict[str, Any]


def reward_card(
    scored: Sequence[Scored],
    *,
    heads: Mapping[str, Mapping[str, Any]],
    spread: Mapping[str, Mapping[str, Any]],
    refusals: Mapping[str, Any] | None = None,
    strangers: Mapping[str, Any] | None = None,
    people: Mapping[str, Mapping[str, float]] | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Table:
    """Return the card of held-out rows; the rest is what else the model says of itself."""
    pairs = [(s.row, s.logit) for s in scored if isinstance(s.row, Preference)]
    by_length = _by(scored, length_bucket, draws, seed)
    table = {
        "overall": _measured(scored, draws, seed),
        "objectives": _by(scored, lambda row: row.objective, draws, seed),
        "sources": _by(scored, lambda row: row.source, draws, seed),
        "principles": _by(scored, lambda row: row.principle if isinstance(row, Preference) else "", draws, seed),
        "lengths": {name: by_length[name] for name in (*(name for _, name in LONGER), LONGEST) if name in by_length},
        "reliability": reliability([x for _, x in pairs], [row.probability for row, _ in pairs]) if pairs else [],
        "length_slope": logistic_slope([(row.prompt.opening, _longer(row), _choice(x)) for row, x in pairs]),
        "style_slope": logistic_slope([(row.prompt.opening, _more_form(row), _choice(x)) for row, x in pairs]),
        "refusals": refusals,
        "strangers": strangers,
        "spread": dict(spread),
        "heads": dict(heads),
        "people": {kind: share(one["agreement"] * one["n"], int(one["n"])) for kind, one in (people or {}).items()},
        "seed": seed,
        "draws": draws,
    }
    return plain({**table, "cautions": cautions(table)})  # type: ignore[no-any-return]


def length_bucket(row: Preference | Rating) -> str:
    """Return how long the better answer of a pair is beside the other; "" where there is no better one."""
    if isinstance(row, Rating) or row.probability == CHANCE or not (row.chosen and row.rejected):
        return ""
    times = math.exp(_longer(row) * (1 if row.probability > CHANCE else -1))
    return next((name for limit, name in LONGER if times < limit), LONGEST)


def cautions(table: Mapping[str, Any]) -> list[str]:
    """Return what a reader should not overlook, in sentences."""
    said = []
    for kind in ("objectives", "sources", "principles"):
        for name, row in table[kind].items():
            for what in ("pairs", "thumbs"):
                rate = (row[what] or {}).get("accuracy")
                if rate and rate["low"] is not None and side_of(rate, CHANCE) <= 0:
                    said.append(f"{name}: cannot be told from chance on held-out {what} ({rate['mean']:.0%} right).")
    for name, what in (("length_slope", "length"), ("style_slope", "lists, headings and other form")):
        slope = table[name]
        if slope and slope["n"] >= FEW and abs(slope["mean"]) > STEEP and (slope["low"] is None or side_of(slope, 0.0)):
            said.append(f"Its choices follow {what} (slope {slope['mean']:.1f}).")
    if (found := table["refusals"]) and found["preferred"]["mean"] > CHANCE:
        said.append(
            f"On {found['which']} prompts it prefers a bare refusal to {found['preferred']['mean']:.0%} of the answers "
            f"({counted(found['preferred']['n'], 'prompt')})."
        )
    if (found := table["strangers"]) and (side := side_of(found["preferred"], CHANCE)) >= 0:
        said.append(
            f"An answer to another prompt scores above {found['preferred']['mean']:.0%} of the prompts' own"
            f" ({counted(found['preferred']['n'], 'prompt')}){'' if side else ', which cannot be told from half'}: RL against it may "
            "forget the question (a remedy: the source mismatch)."
        )
    return said


def _measured(some: Sequence[Scored], draws: int, seed: int) -> Table:
    kinds = {"pairs": Preference, "thumbs": Rating}
    return {kind: _of([s for s in some if isinstance(s.row, row)], draws, seed) for kind, row in kinds.items()}


def _of(some: Sequence[Scored], draws: int, seed: int) -> Table | None:
    """Return the measures of rows of one kind, None without any. The bins are those of all rows in every draw."""
    import numpy as np

    if not some:
        return None
    x = np.array([s.logit for s in some])
    said = np.array([s.row.probability if isinstance(s.row, Preference) else float(s.row.up) for s in some])
    sure = np.array([sigmoid(abs(value)) for value in x])
    over = sure - np.where(x >= 0, said, 1 - said)
    order = np.argsort(sure, kind="stable")
    ends = cuts([float(value) for value in sure[order]], BINS)
    parts = np.zeros((len(some), FIRST_BIN + len(ends) - 1))
    parts[:, DECIDED] = said != CHANCE
    parts[:, HITS] = np.where(x == 0, CHANCE, (x > 0) == (said > CHANCE)) * parts[:, DECIDED]
    parts[:, LOSS] = said * np.logaddexp(0, -x) + (1 - said) * np.logaddexp(0, x)
    parts[:, BRIER] = (np.where(x >= 0, sure, 1 - sure) - said) ** 2
    parts[:, ROWS] = 1
    for n, (low, high) in enumerate(pairwise(ends)):
        parts[order[low:high], FIRST_BIN + n] = over[order[low:high]]
    number = {prompt: n for n, prompt in enumerate(dict.fromkeys(s.row.prompt.opening for s in some))}
    sums = np.zeros((len(number), parts.shape[1]))
    np.add.at(sums, [number[s.row.prompt.opening] for s in some], parts)
    drawn = redraw(sums, draws, seed)
    measures = {
        "n": len(some), "accuracy": of_share(HITS, DECIDED, sums, drawn), "ece": of_sums(_ece, sums, drawn),
        "log_loss": of_sums(ratio(LOSS, ROWS), sums, drawn), "brier": of_sums(ratio(BRIER, ROWS), sums, drawn),
    }  # fmt: skip
    ups = [s.row.up for s in some if isinstance(s.row, Rating)]
    return measures | ({"auroc": auroc([s.logit for s in some], ups)} if ups else {})


def _ece(sums: Any) -> Any:
    import numpy as np

    return np.abs(sums[..., FIRST_BIN:]).sum(-1) / np.maximum(sums[..., ROWS], 1)


def _by(
    scored: Sequence[Scored], name: Callable[[Preference | Rating], str], draws: int, seed: int
) -> dict[str, Table]:
    groups: dict[str, list[Scored]] = {}
    for s in scored:
        if called := name(s.row):
            groups.setdefault(called, []).append(s)
    return {called: _measured(groups[called], draws, seed) for called in sorted(groups)}


def _choice(logit: float) -> float:
    return CHANCE if logit == 0 else float(logit > 0)


def _longer(row: Preference) -> float:
    """Return log(characters of the first / characters of the second)."""
    return math.log(max(len(row.chosen), 1) / max(len(row.rejected), 1))


def _more_form(row: Preference) -> float:
    """Return the log ratio of marks of form, one added to each."""
    first, second = (len(STYLE.findall(text)) for text in (row.chosen, row.rejected))
    return math.log((1 + first) / (1 + second))
