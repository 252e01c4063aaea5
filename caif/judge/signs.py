"""What judgements show by themselves of the labeler that made them, whoever wrote it: read as they come, nothing is asked.

Whether a judge is right, and says the same of swapped answers, can only be found by asking it (`selftest`). But some
mistakes of labelers can be read off what they yield. So these checks find faults and are no proof that there is none.
"""

from collections import Counter
from collections.abc import Callable, Iterator

from caif.data import Judgement, Tested
from caif.judge.bench import MIN_MASS

LEAST = 20
"""So many judgements that all say the same are no accident: a coin does it once in half a million times."""


def _identical(j: Judgement) -> bool | None:
    if j.comparison.a != j.comparison.b or j.p_a is None:
        return None
    return j.verdict == "tie" and j.p_a == 0.5


def _odds(j: Judgement) -> bool | None:
    odds = [logit for logit in (j.logit_ab, j.logit_ba) if logit is not None]
    if not odds or j.p_a is None:
        return None
    return not (min(odds) > 0 and j.verdict == "b") and not (max(odds) < 0 and j.verdict == "a")


def _mass(j: Judgement) -> bool | None:
    return None if j.mass is None or j.p_a is None else MIN_MASS <= j.mass < 1.01


ROWS: dict[str, tuple[Callable[[Judgement], bool | None], str]] = {
    "identical answers": (_identical, "preferred one of two answers that are the same"),
    "its own log-odds": (_odds, "prefer the answer that their own log-odds speak against in every order"),
    "mass on the options": (_mass, f"have less than {MIN_MASS:g} of the probability, or over 1, on the options"),
}
"""What is looked at row by row: whether it is as it should be (None if it says nothing), and what the others did."""
SIGNS = (*ROWS, "one probability", "one place")
"""The names of all these checks."""


class Tally:
    """What one judge said so far, asked by one method."""

    def __init__(self) -> None:
        self.rows: dict[str, Counter[bool]] = {check: Counter() for check in ROWS}
        self.judged, self.probability, self.several = 0, 0.0, False
        self.places: Counter[str] = Counter()

    def add(self, j: Judgement) -> None:
        """Take one judgement into account."""
        for check, (good, _) in ROWS.items():
            if (found := good(j)) is not None:
                self.rows[check][found] += 1
        if j.p_a is not None:
            self.several |= self.judged > 0 and j.p_a != self.probability
            self.judged, self.probability = self.judged + 1, j.p_a
        if j.verdict in ("a", "b") and j.logit_ab is None:  # with log-odds, both orders were asked, or none
            self.places[j.verdict] += 1

    def faults(self) -> Iterator[tuple[str, int, int, str]]:
        """Yield each check that failed, how many were right of how many, and the reason."""
        for check, counts in self.rows.items():
            if wrong := counts[False]:
                n = counts.total()
                yield check, n - wrong, n, f"{wrong} of {n} judgements {ROWS[check][1]}"
        if self.judged >= LEAST and not self.several:
            yield "one probability", 0, self.judged, f"p(a) is {self.probability:g} in all of {self.judged} judgements"
        if self.places.total() >= LEAST and len(self.places) == 1:
            ((place, n),), how = self.places.items(), "draw which answer is a, or ask in both orders"
            yield "one place", 0, n, f"{place} is preferred in all of {n} judgements that name no order: {how}"


class Signs:
    """What all judges of a source said so far. It holds counts, not rows."""

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = {}

    def add(self, j: Judgement) -> None:
        """Take one judgement into account."""
        self._tallies.setdefault(f"{j.judge} by {j.method}", Tally()).add(j)

    def faults(self, source: str) -> list[Tested]:
        """Return every check that failed, judge by judge."""
        return [
            Tested(judge=judge, check=check, passed=False, right=right, asked=n, reason=reason, source=source)
            for judge, tally in self._tallies.items()
            for check, right, n, reason in tally.faults()
        ]
