"""What is likely to go wrong with a constitution that can be read: found in its texts alone, no model is asked.

A warning is something that makes labels wrong or noise; a note is something to know.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from caif.constitution import Constitution, Principle
from caif.errors import nearest
from caif.laws import wording
from caif.laws.likeness import twins
from caif.text import brief

BUDGET = 512
"""Tokens of a question around the two answers: its rules and the principle. A small judge has few thousand for all."""
LETTERS_A_TOKEN = 4
ONE_SIDED, ENOUGH = 0.85, 8
MANY = 3
"""More principles than these without cases, as after an import, get one note together."""


class Finding(NamedTuple):
    """Where, by the principle's id, how bad, and what, with the way out of it."""

    key: str
    severity: Literal["warning", "note"]
    text: str


def lint(law: Constitution, budget: int = BUDGET) -> list[Finding]:
    """Return all findings in the order of the file."""
    found = [*_whole(law)]
    for principle in law.principles:
        where = f"principles.{principle.id}"
        found += _texts(where, principle, law)
        found += _length(where, principle, budget)
        found += _use(where, principle, law)
        found += _cases(where, principle)
    found += _untested(law)
    places = {p.id: n for n, p in enumerate(law.principles)}
    return sorted([*found, *_twins(law)], key=lambda finding: _place(finding.key, places))


def _whole(law: Constitution) -> Iterator[Finding]:
    served = {principle.objective for principle in law.principles if principle.weight}
    for objective in law.objectives:
        if objective not in served:
            yield Finding(f"objectives.{objective}", "warning", "no principle in use serves it: it would get no label")
    if not any(principle.instruct for principle in law.principles):
        yield Finding("principles", "note", "none has `instruct`, so the source `contrast` cannot use this file")
    longer = [len(case.better) > len(case.worse) for p in law.principles for case in p.cases]
    if len(longer) >= ENOUGH and not 1 - ONE_SIDED <= (share := sum(longer) / len(longer)) <= ONE_SIDED:
        which = "longer" if share > 0.5 else "shorter"
        text = f"the better answer is the {which} one in {max(share, 1 - share):.0%} of the cases: length passes them"
        yield Finding("principles", "warning", text)


def _texts(where: str, principle: Principle, law: Constitution) -> Iterator[Finding]:
    """Look sternly at what decides labels, leniently at what asks for text: a writer can do two things at once."""
    deciding = {"compare": principle.compare}
    deciding |= {f"checks[{n}].text": check.text for n, check in enumerate(principle.checks)}
    for key, text in deciding.items():
        if second := wording.demands(text):
            said = (
                f"two demands in one sentence ({_short(second)}): another answer could meet each, make two principles"
            )
            yield Finding(f"{where}.{key}", "warning", said)
        if "?" not in text:
            yield Finding(
                f"{where}.{key}", "note", "asks nothing: a judge answers questions better than it obeys orders"
            )
        for word in wording.undecidable(text):
            said = f"{word!r} is decided by taste: say what can be found in an answer"
            yield Finding(f"{where}.{key}", "warning", said)
    if turned := wording.backwards(principle.compare):
        said = f"asks for the worse answer ({_short(turned)}), and the one that is named counts as the better"
        yield Finding(f"{where}.compare", "warning", said)
    asking = {"critique": principle.critique, "revision": principle.revision, "instruct": principle.instruct}
    for key, text in asking.items():
        if both := wording.commands(text) if key != "critique" else "":
            yield Finding(f"{where}.{key}", "note", f"two orders in one sentence ({_short(both)})")
        decided = set(wording.undecidable(principle.compare))
        for word in (word for word in wording.undecidable(text) if word not in decided):
            yield Finding(f"{where}.{key}", "note", f"{word!r} says little: name the fault or the aim")
    told: set[str] = set()  # the same words in several texts, as templates make them, are told once
    for key, text in (deciding | asking).items():
        for finding in _references(f"{where}.{key}", text, principle, law):
            if finding.text not in told:
                told.add(finding.text)
                yield finding


def _references(key: str, text: str, principle: Principle, law: Constitution) -> Iterator[Finding]:
    for words in wording.elsewhere(text):
        yield Finding(
            key, "warning", f"{_short(words)!r} refers to something that the model is not shown: write it out"
        )
    ids = [other.id for other in law.principles]
    for name in wording.named(text):
        if name not in ids:
            yield Finding(key, "warning", f"there is no principle {name!r}; {nearest(name, ids)}")
        elif name != principle.id:
            yield Finding(key, "warning", f"names the principle {name!r}, which the model is not shown: write it out")
    for term in wording.quoted(text):
        if text.lower().count(term.lower()) == 1:
            yield Finding(key, "note", f"the term {_short(term)!r} stands in quotes and is not explained there")


def _length(where: str, principle: Principle, budget: int) -> Iterator[Finding]:
    from caif.judge.wording import RULES

    tokens = (len(RULES) + len(principle.compare)) // LETTERS_A_TOKEN
    if tokens > budget:
        text = f"about {tokens} tokens with the judge's rules, over the budget of {budget}: shorten it, or use --budget"
        yield Finding(f"{where}.compare", "warning", text)


def _use(where: str, principle: Principle, law: Constitution) -> Iterator[Finding]:
    if not principle.weight:
        yield Finding(f"{where}.weight", "note", f"is 0: {principle.id} is never drawn")
    elif not principle.instruct and any(other.instruct for other in law.principles):
        yield Finding(f"{where}.instruct", "note", f"is missing: the source `contrast` passes over {principle.id}")


def _cases(where: str, principle: Principle) -> Iterator[Finding]:
    verdicts: dict[tuple[str, ...], tuple[str, str]] = {}
    for n, case in enumerate(principle.cases):
        better, worse = _plain(case.better), _plain(case.worse)
        if better == worse:
            yield Finding(
                f"{where}.cases[{n}]", "warning", "better and worse are the same answer: no judge can pass it"
            )
        about = (_plain(case.prompt), *sorted((better, worse)))
        before = verdicts.setdefault(about, (better, worse))
        if before != (better, worse):
            yield Finding(f"{where}.cases[{n}]", "warning", "says the contrary of an earlier case of this principle")


def _untested(law: Constitution) -> Iterator[Finding]:
    bare = [p.id for p in law.principles if p.weight and not p.cases]
    if len(bare) > MANY:
        some = ", ".join(bare[:MANY])
        text = f"{len(bare)} have no cases: nothing shows that a judge understands {some} and the others"
        yield Finding("principles", "note", text)
        return
    for name in bare:
        yield Finding(f"principles.{name}.cases", "note", f"has none: nothing shows that a judge understands {name}")


def _twins(law: Constitution) -> Iterator[Finding]:
    for key in ("compare", "critique"):
        for pair in twins({p.id: getattr(p, key) for p in law.principles if p.weight}):
            text = f"says nearly the same as {pair.first} ({pair.likeness:.0%} in common): both would label the same"
            yield Finding(f"principles.{pair.second}.{key}", "warning", text)


def _place(key: str, places: Mapping[str, int]) -> int:
    """Sort by principle, what is about the whole file first; the sort is stable, so the rest keeps its order."""
    kind, _, rest = key.partition(".")
    return places.get(rest.partition(".")[0], -1) if kind == "principles" else -1


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _short(text: str) -> str:
    return brief(text, 60)
