"""What a reward model is worth on rows it was not trained on: overall, by objective, by source and by principle."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from caif.audit.calibration import agreement, of_pairs, of_thumbs, reliability
from caif.content import digest
from caif.data import Preference, Rating


class Scored(NamedTuple):
    """A row with the model's log-odds of what it says: that the chosen answer is better, or that the thumb is up."""

    row: Preference | Rating
    logit: float


def measured(scored: Sequence[Scored]) -> dict[str, Any]:
    """Return the measures of all rows and of each objective, source and principle; `n` is 0 where nothing is held out."""
    pairs = [s for s in scored if isinstance(s.row, Preference)]
    return {
        "overall": _of(scored),
        "objectives": _by(scored, lambda row: row.objective),
        "sources": _by(scored, lambda row: row.source),
        "principles": {
            name: {"n": measures["n"], "accuracy": measures["accuracy"]}
            for name, measures in _by(pairs, lambda row: row.principle if isinstance(row, Preference) else "").items()
            if name
        },
        "reliability": reliability(*_logits(pairs)) if pairs else [],
    }


def people_agree(rows: Sequence[Preference | Rating]) -> dict[str, dict[str, float]]:
    """Return how often people who judged the same thing agree: a reward model cannot be asked for more.

    A row with a principle is a judge's label, not a person's; a row without a rater could be anybody's.
    """
    people = [row for row in rows if row.rater and not (isinstance(row, Preference) and row.principle)]
    found = {
        "pairs": agreement([_pair_opinion(row) for row in people if isinstance(row, Preference)]),
        "thumbs": agreement([_thumb_opinion(row) for row in people if isinstance(row, Rating)]),
    }
    return {kind: rate for kind, rate in found.items() if rate}


def _pair_opinion(row: Preference) -> tuple[str, str, int]:
    better, worse = row.chosen, row.rejected
    sign = (row.probability > 0.5) - (row.probability < 0.5)
    thing = digest([row.prompt.id, row.objective, *sorted((better, worse))])
    return thing, row.rater, sign if better <= worse else -sign


def _thumb_opinion(row: Rating) -> tuple[str, str, int]:
    return digest([row.prompt.id, row.objective, row.completion]), row.rater, int(row.up)


def _of(scored: Sequence[Scored]) -> dict[str, Any]:
    thumbs = [(s.logit, s.row.up) for s in scored if isinstance(s.row, Rating)]
    pairs = [s for s in scored if isinstance(s.row, Preference)]
    return {**of_pairs(*_logits(pairs)), "thumbs": of_thumbs([x for x, _ in thumbs], [up for _, up in thumbs])}


def _logits(pairs: Sequence[Scored]) -> tuple[list[float], list[float]]:
    labels = [s.row.probability for s in pairs if isinstance(s.row, Preference)]
    return [s.logit for s in pairs], labels


def _by(scored: Sequence[Scored], name: Callable[[Preference | Rating], str]) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Scored]] = {}
    for s in scored:
        groups.setdefault(name(s.row), []).append(s)
    return {group: _of(some) for group, some in sorted(groups.items())}
