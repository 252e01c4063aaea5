"""People's pairs as a judge is to see them: two answers in an order that says nothing, and apart from it what people said.

Files that hold people's choices put the better answer first more often than not, or always; so which answer is a is drawn
from the texts alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from caif.audit.agreement import TIE, A, B
from caif.constitution import Constitution, Principle
from caif.content import digest, rng
from caif.data import Comparison, Preference, Rating, Rejected
from caif.errors import CaifError


class Pair(NamedTuple):
    """Two answers, and one verdict code a rater."""

    comparison: Comparison
    people: tuple[int, ...]
    objective: str


class Read(NamedTuple):
    """The pairs of a file, and how many rows could not be used for which reason."""

    pairs: list[Pair]
    rejected: dict[str, int]


def oriented(row: Preference, seed: int) -> tuple[Comparison, int]:
    """Return the row's answers in a drawn order, and what it says of them; the draw does not see which is preferred."""
    one, other = sorted((row.chosen, row.rejected))
    if rng("audit", seed, row.prompt.id, one, other).random() < 0.5:
        one, other = other, one
    better = TIE if row.probability == 0.5 else A if (row.chosen == one) == (row.probability > 0.5) else B
    return Comparison(prompt=row.prompt, a=one, b=other), better


def read_pairs(rows: Iterable[Preference | Rating | Rejected], seed: int, limit: int | None = None) -> Read:
    """Return people's pairs, `limit` of them at most, drawn by digest; several rows on one pair are several raters.

    A rater who judged a pair twice counts with the last opinion; rows without a rater are each someone else's.
    """
    found: dict[tuple[str, str], tuple[Comparison, dict[str, int], str]] = {}
    rejected: Counter[str] = Counter()
    for n, row in enumerate(rows):
        if isinstance(row, Preference):
            comparison, better = oriented(row, seed)
            _, said, _ = found.setdefault((comparison.id, row.objective), (comparison, {}, row.objective))
            said[row.rater or f"row {n}"] = better
        else:
            rejected[row.reason if isinstance(row, Rejected) else "a thumb, not a pair"] += 1
    pairs = [Pair(comparison, tuple(said.values()), objective) for comparison, said, objective in found.values()]
    drawn = sorted(pairs, key=lambda pair: digest([seed, pair.comparison.id, pair.objective]))[:limit]
    return Read(drawn, dict(rejected.most_common()))


def refuse_empty(files: Mapping[str, Read]) -> None:
    """Refuse files without any pair, with what was turned away and why."""
    if not any(read.pairs for read in files.values()):
        why = "; ".join(f"{name}: {_turned_away(read)}" for name, read in files.items())
        raise CaifError(f"there is no usable pair in {why}", "check the reader's name and the file")


def _turned_away(read: Read) -> str:
    return ", ".join(f"{number} rows {reason}" for reason, number in read.rejected.items()) or "it is empty"


def called(named: Sequence[str]) -> dict[str, str]:
    """Return what each FORMAT:PATH is called on a card: without its folders, unless two files would be called alike."""
    short = {text: f"{text.partition(':')[0]}:{Path(text.partition(':')[2]).name}" for text in named}
    return {text: name if list(short.values()).count(name) == 1 else text for text, name in short.items()}


def principles_for(law: Constitution, pairs: Sequence[Pair], names: Sequence[str] = ()) -> list[Principle]:
    """Return the principles to judge by: the named ones, or those that serve an objective of the pairs."""
    objectives = {pair.objective for pair in pairs}
    found = [p for p in law.only(names).principles if names or p.objective in objectives]
    if not found:
        people, serves = ", ".join(sorted(objectives)), ", ".join(law.objectives)
        what = f"{law.name}: no principle serves what the pairs are about ({people})"
        raise CaifError(what, f"name one of: {serves} with --objective, or principles with --principles")
    return found


def to_ask(pairs: Sequence[Pair], principles: Sequence[Principle]) -> list[tuple[Pair, Principle]]:
    """Return each pair with each principle that applies to its prompt."""
    return [(pair, p) for pair in pairs for p in principles if p.applies(pair.comparison.prompt.tags)]


def about(read: Read) -> dict[str, Any]:
    """Return what the pairs are: how many, of how many prompts, by how many raters, and what was turned away."""
    raters = Counter(len(pair.people) for pair in read.pairs)
    return {
        "pairs": len(read.pairs),
        "prompts": len({pair.comparison.prompt.opening for pair in read.pairs}),
        "raters_per_pair": {str(n): times for n, times in sorted(raters.items())},
        "objectives": sorted({pair.objective for pair in read.pairs}),
        "rejected": read.rejected,
    }
