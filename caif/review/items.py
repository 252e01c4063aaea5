"""Which answers a person is asked about, and in which order: all at random, or those first where their word helps most.

A share of the items is drawn for an audit by a hash of the item alone. Neither usefulness nor earlier labels can bring
such an item in or move it, and it is shown nowhere else, so what is measured on them holds for all items.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Literal, NamedTuple

from caif.content import digest, rng
from caif.data import Comparison, Completion, Judgement, Preference, Prompt, Rating
from caif.sources.choosing import is_overruled

Order = Literal["unlabelled", "useful"]
UP, DOWN = "up", "down"


class Opinion(NamedTuple):
    """What a judge said of a comparison under a principle: how probably `a` is better."""

    comparison: Comparison
    p_a: float
    judge: str
    principle: str
    flipped: bool = False
    overruled: bool = False
    objective: str = ""


class Item(NamedTuple):
    """One question to a person: a prompt with one answer, for a thumb, or with two, in an order that says nothing.

    `signals` says what makes their word useful, each a number in (0, 1]; `labelled` that people have spoken on it;
    `leaning` is the judges' mean probability that the first answer is better. `known` is the right word on a gold item:
    the better answer, or up or down.
    """

    id: str
    prompt: Prompt
    answers: tuple[str, ...]
    signals: Mapping[str, float] = {}
    labelled: bool = False
    leaning: float | None = None
    audit: bool = False
    known: str = ""


def item(prompt: Prompt, *answers: str) -> Item:
    """Return the question about one answer or two. It is the same in whichever order two are given."""
    alphabetical = tuple(sorted(answers))
    return Item(digest(["item", prompt.id, *alphabetical]), prompt, alphabetical)


def opinions(judgements: Iterable[Judgement]) -> list[Opinion]:
    """Return what judges said where they said something."""
    return [
        Opinion(j.comparison, j.p_a, j.judge, j.principle, bool(j.flipped), is_overruled(j), j.objective)
        for j in judgements if j.p_a is not None
    ]  # fmt: skip


def compared(answers: Iterable[Completion]) -> list[Comparison]:
    """Return every two different answers to one prompt."""
    texts: dict[str, dict[str, Prompt]] = defaultdict(dict)
    for answer in answers:
        if answer.usable:
            texts[answer.prompt.id].setdefault(answer.text, answer.prompt)
    return [
        Comparison(prompt=prompt, a=a, b=b)
        for several in texts.values() for (a, prompt), (b, _) in combinations(several.items(), 2)
    ]  # fmt: skip


def pairs(
    offered: Iterable[Comparison], said: Sequence[Opinion], people: Iterable[Preference], objective: str = ""
) -> list[Item]:
    """Return each pair of different answers once, with what judges said of it and whether people have spoken.

    All that was said makes it useful; where judges lean is by the principles of one objective, if it is named.
    """
    found: dict[str, Item] = {}
    heard: dict[str, list[tuple[Opinion, float]]] = defaultdict(list)
    for comparison in (*offered, *(opinion.comparison for opinion in said)):
        if comparison.a.strip() and comparison.b.strip() and comparison.a != comparison.b:
            one = item(comparison.prompt, comparison.a, comparison.b)
            found.setdefault(one.id, one)
    for opinion in said:
        one = item(opinion.comparison.prompt, opinion.comparison.a, opinion.comparison.b)
        heard[one.id].append((opinion, opinion.p_a if opinion.comparison.a == one.answers[0] else 1 - opinion.p_a))
    labelled = {item(row.prompt, row.chosen, row.rejected).id for row in people}

    def leaning(name: str) -> float | None:
        return _leaning([(o, p) for o, p in heard[name] if objective in ("", o.objective)])

    return [
        one._replace(signals=signals(heard[name]), labelled=name in labelled, leaning=leaning(name))
        for name, one in found.items()
    ]


def thumbs(answers: Iterable[tuple[Prompt, str]], asked: Iterable[Item], people: Iterable[Rating]) -> list[Item]:
    """Return each answer once; what makes a pair useful makes its answers so, by the strongest of each signal."""
    found = {one.id: one for prompt, text in answers if text.strip() for one in [item(prompt, text)]}
    strongest: dict[str, dict[str, float]] = defaultdict(dict)
    for pair in asked:
        for text in pair.answers:
            one = item(pair.prompt, text)
            found.setdefault(one.id, one)
            for name, value in pair.signals.items():
                strongest[one.id][name] = max(value, strongest[one.id].get(name, 0.0))
    labelled = {item(row.prompt, row.completion).id for row in people}
    return [one._replace(signals=strongest[name], labelled=name in labelled) for name, one in found.items()]


def signals(heard: Sequence[tuple[Opinion, float]]) -> dict[str, float]:
    """Return why a person's word on a pair would help, from opinions with the probability that one of its answers wins."""
    found = {}
    if any(opinion.flipped for opinion, _ in heard):
        found["order flips"] = 1.0
    sides = {(o.principle, o.judge, p > 0.5) for o, p in heard if p != 0.5}
    if any(one[0] == other[0] and one[2] != other[2] for one, other in combinations(sides, 2)):
        found["judges disagree"] = 1.0
    if any(o.overruled for o, _ in heard) or any(
        one[0] != other[0] and one[2] != other[2] for one, other in combinations(sides, 2)
    ):
        found["principles conflict"] = 1.0
    mean = _leaning(heard)
    if mean is not None and mean not in (0.0, 1.0):
        found["judges undecided"] = undecided(mean)
    return found


def undecided(p: float) -> float:
    """Return 1 for a probability of one half, 0 for certainty."""
    return 1 - 2 * abs(p - 0.5)


def _leaning(heard: Sequence[tuple[Opinion, float]]) -> float | None:
    return fmean(p for _, p in heard) if heard else None


def usefulness(one: Item) -> float:
    """Return the sum of an item's signals."""
    return sum(one.signals.values())


def ordered(items: Iterable[Item], order: Order, audit: float, seed: int) -> list[Item]:
    """Return the items in the order to ask them, a share of them marked as drawn for the audit and spread evenly.

    The others: what nobody has labelled comes first, then by usefulness if `order` says so, then at random.
    """
    drawn = sorted(items, key=lambda one: digest(["order of review", seed, one.id]))
    audited = [one._replace(audit=True) for one in drawn if rng("audit", seed, one.id).random() < audit]
    taken = {one.id for one in audited}
    rest = [one for one in drawn if one.id not in taken]
    rest.sort(key=lambda one: (one.labelled, -usefulness(one) if order == "useful" else 0.0))
    return woven(audited, rest, audit)


def woven(some: Sequence[Item], others: Sequence[Item], share: float) -> list[Item]:
    """Return both as one list, each in its own order, so that `some` are about that share of any part of it."""
    if not some or not others:
        return [*some, *others]
    places = [((n + 0.5) / share, one) for n, one in enumerate(some)]
    places += [((n + 0.5) / (1 - share), one) for n, one in enumerate(others)]
    return [one for _, one in sorted(places, key=lambda place: place[0])]


def gold(rows: Iterable[Preference | Rating], *, thumb: bool) -> list[Item]:
    """Return the items whose right answer is known: a file's pairs, but for its ties, or its thumbs."""
    found = {}
    for row in rows:
        if thumb and isinstance(row, Rating):
            one = item(row.prompt, row.completion)._replace(known=UP if row.up else DOWN)
        elif not thumb and isinstance(row, Preference) and row.probability != 0.5:
            better = row.chosen if row.probability > 0.5 else row.rejected
            one = item(row.prompt, row.chosen, row.rejected)._replace(known=better)
        else:
            continue
        found[one.id] = one
    return list(found.values())


def with_gold(items: Sequence[Item], known: Sequence[Item], share: float, seed: int) -> list[Item]:
    """Return the items with gold ones among them now and then, each once; an item that is gold is asked as gold."""
    drawn = sorted(known, key=lambda one: digest(["order of gold", seed, one.id]))
    ids = {one.id for one in drawn}
    return woven(drawn, [one for one in items if one.id not in ids], share)
