"""Whether labels agree: with people's on the same answers, and a judge's with pairs made to have a better answer."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from caif.data import Judgement, Preference
from caif.intervals import Estimate, share
from caif.report.gather import SourceRows

Pair = tuple[str, str, str]
"""A prompt's id and two answers, the smaller text first."""


class People:
    """What people said: of two answers side by side, and with thumbs of one answer alone."""

    def __init__(self, sources: Sequence[SourceRows]) -> None:
        self.pairs: dict[Pair, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.thumbs: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for source in sources:
            for row in source.peoples:
                pair, sign = _canonical(row.prompt.id, row.chosen, row.rejected)
                self.pairs[pair][row.objective] += sign * row.weight * (2 * row.probability - 1)
            for thumb in source.ratings:
                self.thumbs[thumb.prompt.id, thumb.completion][thumb.objective] += thumb.weight * (
                    1 if thumb.up else -1
                )

    def prefer(self, prompt: str, one: str, other: str, objective: str = "") -> bool | None:
        """Return whether people prefer the one answer, under one objective or under any; None if they do not say."""
        pair, sign = _canonical(prompt, one, other)
        said = {name: sign * balance for name, balance in self.pairs.get(pair, {}).items()}
        if not said:
            ones, others = self.thumbs.get((prompt, one), {}), self.thumbs.get((prompt, other), {})
            said = {
                name: ones[name] - others[name] for name in ones.keys() & others.keys() if ones[name] * others[name] < 0
            }
        balance = sum(value for name, value in said.items() if objective in ("", name))
        return None if balance == 0 else balance > 0


def _canonical(prompt: str, one: str, other: str) -> tuple[Pair, int]:
    return ((prompt, one, other), 1) if one <= other else ((prompt, other, one), -1)


def with_people(people: People, labels: Iterable[Preference]) -> dict[str, Estimate | None]:
    """Return how often labels say what people say of the same answers, under any objective and under their own."""
    rows = [row for row in labels if row.probability != 0.5]
    table: dict[str, Estimate | None] = {}
    for name in ("all", "same"):
        said = [people.prefer(r.prompt.id, r.chosen, r.rejected, r.objective if name == "same" else "") for r in rows]
        agreed = [one == (row.probability > 0.5) for one, row in zip(said, rows, strict=True) if one is not None]
        table[name] = share(sum(agreed), len(agreed))
    return table


def with_construction(built: Iterable[Preference], judgements: Iterable[Judgement]) -> Estimate | None:
    """Return how often a judge picks the answer that was made to be the better one; ties and failures are left out."""
    better = {(row.prompt.id, frozenset((row.chosen, row.rejected)), row.principle): row.chosen for row in built}
    agreed = []
    for judgement in judgements:
        pair = judgement.comparison
        wanted = better.get((pair.prompt.id, frozenset((pair.a, pair.b)), judgement.principle))
        if wanted is not None and judgement.verdict in ("a", "b"):
            agreed.append((pair.a if judgement.verdict == "a" else pair.b) == wanted)
    return share(sum(agreed), len(agreed))


def flips(judgements: Iterable[Judgement]) -> Estimate | None:
    """Return how often the two orders of the same answers got different verdicts."""
    told = [bool(j.flipped) for j in judgements if j.p_a is not None and j.flipped is not None]
    return share(sum(told), len(told))


def failures(judgements: Iterable[Judgement], kinds: Sequence[str]) -> dict[str, int]:
    """Return how many judgements had each of these verdicts, those that none had left out."""
    table = dict.fromkeys(kinds, 0)
    for judgement in judgements:
        if judgement.verdict in table:
            table[judgement.verdict] += 1
    return {kind: n for kind, n in table.items() if n}
