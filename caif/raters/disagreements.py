"""Where people and judges differ on the same answers under the same objective, and whose fault that is likely to be.

Each is sorted by the first rule that holds:
1. this rater is off: all who said so vote against what others see (more likely than not), or agree with others hardly
   more often than chance although enough of their votes could be compared;
2. the judge is unstable: its two orders name different answers, it puts little of its probability on the options, it is
   near one half, or another of its readings under the same principle says the contrary;
3. the constitution is silent or unclear: the judge says that the principle does not apply or that neither is better, other
   principles of the objective say the contrary, or nothing of all this: judge and people are both sure and differ.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Literal, NamedTuple

from caif.data import FAILURES, Judgement, Preference, Rating
from caif.raters.votes import RaterRow

Kind = Literal["this rater is off", "the judge is unstable", "the constitution is silent or unclear"]
OFF: Kind = "this rater is off"
UNSTABLE: Kind = "the judge is unstable"
UNCLEAR: Kind = "the constitution is silent or unclear"
KINDS: tuple[Kind, ...] = (UNCLEAR, UNSTABLE, OFF)
TROLL, TRUST, COMPARED = 0.5, 0.2, 10
"""A rater is off who is a troll more likely than this, or of so little trust where so many votes could be compared."""
MASS, NARROW = 0.5, 0.1
"""A judge is unstable with less probability than this on its options, or nearer than this to one half."""

Answers = tuple[str, frozenset[str], str]
"""A prompt's id, two answers, and the objective they are compared under."""


class Word(NamedTuple):
    """One person's word on two answers: the better one, and by what kind of vote it was said."""

    better: str
    rater: str
    kind: str


class Disagreement(NamedTuple):
    """People prefer `better`, the judge under this principle does not; why, in the words of the rule that holds."""

    kind: Kind
    why: str
    judgement: Judgement
    better: str
    people: int


class Compared(NamedTuple):
    """One principle: how many of its judgements could be set against people's word, and those that differ from it."""

    principle: str
    compared: int
    found: list[Disagreement]

    def of(self, kind: Kind) -> list[Disagreement]:
        """Return those of this kind."""
        return [one for one in self.found if one.kind == kind]


def disagreements(
    judgements: Iterable[Judgement], pairs: Iterable[Preference], thumbs: Iterable[Rating], raters: Sequence[RaterRow]
) -> list[Compared]:
    """Return every principle that could be compared, the one with the most disagreements first; within, rule by rule."""
    words = said(pairs, thumbs)
    known: dict[tuple[str, str], RaterRow] = {(row.rater, row.kind): row for row in raters}
    readings: dict[Answers, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        if judgement.verdict not in FAILURES and _about(judgement) in words:
            readings[_about(judgement)].append(judgement)
    compared: dict[str, int] = defaultdict(int)
    found: dict[str, list[Disagreement]] = defaultdict(list)
    for about, several in readings.items():
        better, voices = _majority(words[about])
        if not better:
            continue
        for judgement in several:
            compared[judgement.principle] += 1
            if _named(judgement) != better:
                kind, why = _sorted(judgement, several, voices, known)
                found[judgement.principle].append(Disagreement(kind, why, judgement, better, len(voices)))
    rows = [Compared(name, n, sorted(found[name], key=_place)) for name, n in compared.items()]
    return sorted(rows, key=lambda row: (-len(row.found), row.principle))


def said(pairs: Iterable[Preference], thumbs: Iterable[Rating]) -> dict[Answers, list[Word]]:
    """Return what people said of two answers: side by side, else with a thumb up on one and a thumb down on the other."""
    words: dict[Answers, list[Word]] = defaultdict(list)
    for row in pairs:
        if row.probability != 0.5:
            better = row.chosen if row.probability > 0.5 else row.rejected
            words[row.prompt.id, frozenset((row.chosen, row.rejected)), row.objective].append(
                Word(better, row.rater or row.source, "pairs")
            )
    voted: dict[tuple[str, str], dict[bool, dict[str, list[str]]]] = defaultdict(lambda: {False: {}, True: {}})
    for thumb in thumbs:
        voted[thumb.prompt.id, thumb.objective][thumb.up].setdefault(thumb.completion, []).append(
            thumb.rater or thumb.source
        )
    for (prompt, objective), way in voted.items():
        for good, bad in product(way[True], way[False]):
            about = prompt, frozenset((good, bad)), objective
            if good != bad and not any(word.kind == "pairs" for word in words[about]):
                words[about] += [Word(good, rater, "thumbs") for rater in (*way[True][good], *way[False][bad])]
    return {about: some for about, some in words.items() if some}


def _about(judgement: Judgement) -> Answers:
    c = judgement.comparison
    return c.prompt.id, frozenset((c.a, c.b)), judgement.objective


def _majority(words: Sequence[Word]) -> tuple[str, list[Word]]:
    """Return the answer that more voices prefer, and those voices; "" if as many say either."""
    voices: dict[str, list[Word]] = defaultdict(list)
    for word in dict.fromkeys(words):
        voices[word.better].append(word)
    ranked = sorted(voices.values(), key=len, reverse=True)
    if len(ranked) > 1 and len(ranked[0]) == len(ranked[1]):
        return "", []
    return ranked[0][0].better, ranked[0]


def _named(judgement: Judgement) -> str:
    c = judgement.comparison
    return {"a": c.a, "b": c.b}.get(judgement.verdict, "")


def _place(found: Disagreement) -> tuple[int, float, str]:
    """Sort by rule, the surest judge first: it is the most telling example."""
    p = found.judgement.p_a
    return KINDS.index(found.kind), -abs((0.5 if p is None else p) - 0.5), found.judgement.id


def _sorted(
    judgement: Judgement,
    several: Sequence[Judgement],
    voices: Sequence[Word],
    known: Mapping[tuple[str, str], RaterRow],
) -> tuple[Kind, str]:
    rows = [known.get((word.rater, word.kind)) for word in voices]
    if all(row is not None and _off(row) for row in rows):
        return OFF, "votes against what others see, or agrees with them hardly more than chance"
    if why := _unstable(judgement, several):
        return UNSTABLE, why
    if judgement.verdict in ("not_applicable", "tie"):
        says = "does not apply" if judgement.verdict == "not_applicable" else "prefers neither"
        return UNCLEAR, f"silent: by the judge’s reading the principle {says}"
    others = [
        one for one in several if one.principle != judgement.principle and _named(one) not in ("", _named(judgement))
    ]
    if others:
        names = ", ".join(sorted({one.principle for one in others}))
        return UNCLEAR, f"unclear: {names}, of the same objective, says the contrary"
    return UNCLEAR, "the judge is sure, in both orders if there are two, and so are people"


def _off(row: RaterRow) -> bool:
    return row.troll > TROLL or (row.compared >= COMPARED and row.trust < TRUST)


def _unstable(judgement: Judgement, several: Sequence[Judgement]) -> str:
    if judgement.flipped:
        return "its two orders name different answers"
    if judgement.mass is not None and judgement.mass < MASS:
        return f"it puts {judgement.mass:.2f} of its probability on the options"
    if judgement.verdict in ("a", "b") and judgement.p_a is not None and abs(judgement.p_a - 0.5) < NARROW:
        return f"it is near one half: {max(judgement.p_a, 1 - judgement.p_a):.2f}"
    again = [one for one in several if one.principle == judgement.principle and one is not judgement]
    if any(_named(one) not in ("", _named(judgement)) for one in again):
        return "another judge, wording or method says the contrary under the same principle"
    return ""
