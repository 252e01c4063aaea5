"""From rows to columns and back: who said what of which comparison, for a run that fits into memory."""

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from caif.data import Judgement, Preference, Rating
from caif.raters.features import NAMES, style
from caif.raters.signals import Cast, signals
from caif.raters.votes import Fused, Items, RaterRow, Thumbs, Votes, fuse

H = TypeVar("H", bound=Hashable)


class Places(dict[H, int]):
    """Numbers things in the order in which they are first asked for."""

    def __missing__(self, key: H) -> int:
        self[key] = len(self)
        return self[key]


class Vote(NamedTuple):
    """One label of a comparison under an objective: `first` and `second` in the canonical order, p of the first."""

    prompt: str
    first: str
    second: str
    objective: str
    rater: str
    source: str
    p: float
    order: int = 0


def of_pair(row: Preference) -> Vote:
    """Return a person's pair as a vote; a row without a rater is its source's."""
    shown = {"first": 1, "second": -1}.get(row.origin.order, 0)
    return _vote(
        row.prompt.id,
        row.chosen,
        row.rejected,
        row.objective,
        (row.rater or row.source, row.source),
        row.probability,
        shown,
    )


def of_judgement(row: Judgement) -> Vote | None:
    """Return a judgement as a vote of its judge under its principle; None if it carries no probability."""
    if row.p_a is None:
        return None
    c = row.comparison
    return _vote(c.prompt.id, c.a, c.b, row.objective, (f"{row.judge}|{row.principle}", row.source), row.p_a, 0)


def _vote(prompt: str, a: str, b: str, objective: str, who: tuple[str, str], p: float, order: int) -> Vote:
    if a <= b:
        return Vote(prompt, a, b, objective, *who, p, order)
    return Vote(prompt, b, a, objective, *who, 1 - p, -order)


def weighed(pairs: Sequence[Preference], judgements: Iterable[Judgement], thumbs: Sequence[Rating]) -> Fused:
    """Return what everybody's labels are worth: people's pairs and thumbs, with their signals, and judges' verdicts."""
    votes = [of_pair(row) for row in pairs]
    votes += [vote for row in judgements if (vote := of_judgement(row)) is not None]
    answers: Places[tuple[str, str, str]] = Places()
    places: Places[tuple[str, str, str, str]] = Places()
    raters, sources = Places[str](), Places[str]()
    item = _ints([places[vote[:4]] for vote in votes])
    columns = Votes(
        item, _ints([raters[v.rater] for v in votes]), _ints([sources[v.source] for v in votes]),
        np.array([v.p for v in votes]), np.ones(len(votes)), _ints([v.order for v in votes]), tuple(raters), tuple(sources),
        frozenset(row.source for row in pairs),
    )  # fmt: skip
    items = Items(
        _ints([answers[prompt, objective, first] for prompt, first, _, objective in places]),
        _ints([answers[prompt, objective, second] for prompt, _, second, objective in places]),
        np.array([style(first, second) for _, first, second, _ in places]).reshape(-1, len(NAMES)),
    )
    found = fuse(columns, items, _thumbs(thumbs, answers))
    return found._replace(raters=_told(found.raters, [*pairs, *thumbs]))


def _thumbs(thumbs: Sequence[Rating], answers: Places[tuple[str, str, str]]) -> Thumbs:
    raters, sources = Places[str](), Places[str]()
    return Thumbs(
        _ints([answers[row.prompt.id, row.objective, row.completion] for row in thumbs]),
        _ints([raters[row.rater or row.source] for row in thumbs]), _ints([sources[row.source] for row in thumbs]),
        np.array([row.up for row in thumbs], dtype=bool), np.ones(len(thumbs)), tuple(raters), tuple(sources),
    )  # fmt: skip


def _ints(values: Sequence[int]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array(values, dtype=np.int64)


def _told(rows: Sequence[RaterRow], said: Sequence[Preference | Rating]) -> list[RaterRow]:
    """Return the rows with the signals of how each person voted. What nobody is named for is many people's: it has none."""
    said = [row for row in said if row.rater]
    raters = Places[str]()
    number = _ints([raters[row.rater] for row in said])
    at = np.array([math.nan if row.origin.at is None else row.origin.at for row in said])
    up = np.array([float(row.up) if isinstance(row, Rating) else math.nan for row in said])
    found = signals(Cast(number, at, up, [row.prompt.text for row in said]), len(raters))
    return [row._replace(signals=found[raters[row.rater]]) if row.rater in raters else row for row in rows]
