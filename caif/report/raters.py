"""Who labelled, what their word is worth, and where people and judges differ. People stand under salted hashes only."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from caif.content import digest
from caif.data import Judgement, Preference, Rating
from caif.raters.agreeing import agreeing, between
from caif.raters.disagreements import KINDS, TROLL, Compared, Disagreement, disagreements
from caif.raters.rows import Places, of_pair, weighed
from caif.raters.votes import Fused, RaterRow
from caif.report.gather import Made, SourceRows

LEANS = (("longer answers", "shorter answers"), ("lists", "running text"), ("refusals", "answers that do not refuse"))
"""What a bias by each of `caif.raters.features` leans to, above and below 0."""
TOLD = 0.1
"""A smaller lean, in log-odds, is not told."""
SHOWN, EXAMPLES = 40, 3
"""How many raters have a row on the page, and how many disagreements of a kind are shown under a principle."""


class Said(NamedTuple):
    """All that people and judges said in a run."""

    pairs: list[Preference]
    judgements: list[Judgement]
    thumbs: list[Rating]


def said_in(sources: Sequence[SourceRows]) -> Said:
    """Return people's pairs, judges' judgements and people's thumbs of all sources."""
    return Said(
        [row for source in sources for row in source.peoples],
        [row for source in sources for row in source.judgements],
        [row for source in sources for row in source.ratings],
    )


def rater_numbers(made: Made) -> dict[str, Any] | None:
    """Return the tables of raters, sources and disagreements; None if nobody gave a label."""
    pairs, judgements, thumbs = said = said_in(made.sources)
    found = weighed(*said)
    if not found.raters:
        return None
    people = {row.source for row in found.sources if row.people}
    salt = [source.artifact.key for source in made.sources]
    rows = [_row(row, salt, person=row.source in people) for row in sorted(found.raters, key=_order)]
    return {
        "rows": rows[:SHOWN],
        "more": max(len(rows) - SHOWN, 0),
        "signals": sum(bool(row.signals) for row in found.raters),
        "sources": _sources(found),
        "agreement": {
            "pairs": _agreement([(v[:4], v.rater, v.p > 0.5) for v in map(of_pair, pairs) if v.p != 0.5], salt),
            "thumbs": _agreement([((t.prompt.id, t.objective, t.completion), t.rater or t.source, t.up) for t in thumbs], salt),
        },
        "principles": [_principle(one) for one in disagreements(judgements, pairs, thumbs, found.raters)],
    }  # fmt: skip


def _order(row: RaterRow) -> tuple[bool, int, str]:
    """Those with something unusual first, then the busiest."""
    return not (row.signals or row.troll > TROLL), -row.votes, row.rater


def hashed(rater: str, salt: object) -> str:
    """Return what a person is called on the page: the same within a run and nowhere else."""
    return f"person {digest([salt, rater])[:8]}"


def _row(row: RaterRow, salt: object, *, person: bool) -> dict[str, Any]:
    name = hashed(row.rater, salt) if person else row.rater
    table = row._asdict() | {"rater": name, "person": person, "signals": list(row.signals)}
    table["slope"] = {"mean": row.slope, "low": row.low, "high": row.high, "n": row.votes}
    return table | {"off": row.troll > TROLL}


def _sources(found: Fused) -> list[dict[str, Any]]:
    """Return each source with the leanings that are worth telling, named by what it leans to."""
    return [
        {"source": row.source, "votes": row.votes, "people": row.people,
         "bias": [{"to": to[by < 0], "by": abs(by)} for to, by in zip(LEANS, row.bias, strict=True) if abs(by) >= TOLD]}
        for row in found.sources
    ]  # fmt: skip


def _agreement(said: list[tuple[tuple[str, ...], str, bool]], salt: object) -> dict[str, Any] | None:
    """Return how far several people's words on one thing agree, and two by two the busiest; None if no two spoke on any."""
    items, raters = Places[tuple[str, ...]](), Places[str]()
    columns = [(items[about], raters[rater], int(side)) for about, rater, side in said]
    item, rater, side = np.array(columns, dtype=np.int64).reshape(-1, 3).T
    table, names = agreeing(item, rater, side), [hashed(name, salt) for name in raters]
    if not table["items"]:
        return None
    two = [{"raters": [names[n] for n in one["raters"]], "kappa": one["kappa"]} for one in between(item, rater, side)]
    return table | {"two": [one for one in two if one["kappa"] is not None]}


def _principle(row: Compared) -> dict[str, Any]:
    kinds = []
    for kind in KINDS:
        if some := row.of(kind):
            kinds.append({"kind": kind, "n": len(some), "examples": [example(one) for one in some[:EXAMPLES]]})
    return {"principle": row.principle, "compared": row.compared, "differ": len(row.found), "kinds": kinds}


def example(found: Disagreement) -> dict[str, Any]:
    """Return one disagreement as it is shown."""
    c = found.judgement.comparison
    return {
        "why": found.why, "prompt": c.prompt.text, "people": found.better, "other": c.b if found.better == c.a else c.a,
        "verdict": found.judgement.verdict, "p": _p(found), "judge": found.judgement.judge, "voices": found.people,
    }  # fmt: skip


def _p(found: Disagreement) -> float | None:
    """Return the judge's probability of the answer that people prefer."""
    p = found.judgement.p_a
    return p if p is None or found.better == found.judgement.comparison.a else 1 - p
