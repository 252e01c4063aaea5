"""Audit a judge on people's pairs: every mode of asking it judges the same pairs, blind and in both orders."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from caif.audit.agreement import TIE, A, B, Labelled, agreement, ceiling
from caif.audit.card import DRAWS, card
from caif.audit.honesty import Evidence, labelled, scaled
from caif.audit.modes import comparisons, recommend
from caif.audit.people import Pair, Read, about, principles_for, to_ask
from caif.constitution import Constitution
from caif.errors import WRONG, CaifError
from caif.judge import Bench, Method, judge_all
from caif.models.account import Price
from caif.report.numbers import plain


class Asked(NamedTuple):
    """What to audit on: people's pairs by the name of their file, the constitution, and which of its principles."""

    files: Mapping[str, Read]
    law: Constitution
    principles: tuple[str, ...] = ()


class Modes(NamedTuple):
    """What a judge said by each method, pair for pair in one order, and why other methods could not be asked."""

    evidence: dict[str, list[Evidence]]
    unavailable: dict[str, str]


def ask(bench: Bench, methods: Sequence[Method], asked: Asked, say: Callable[[str], None] = lambda _: None) -> Modes:
    """Have the judge judge all pairs by each method. A method that it has no means for is left out and says why."""
    modes, unavailable = dict[str, list[Evidence]](), dict[str, CaifError]()
    for method in methods:
        say(f"audit  {method}")
        evidence = []
        try:
            for name, read in asked.files.items():
                items = to_ask(read.pairs, principles_for(asked.law, read.pairs, asked.principles))
                judged = judge_all(bench._replace(method=method), [(p.comparison, rule) for p, rule in items], name)
                evidence += [Evidence(j, pair.people) for j, (pair, _) in zip(judged, items, strict=True)]
        except CaifError as error:
            if error.code != WRONG:  # stopped on the way: what was answered is kept
                raise
            unavailable[method] = error
            continue
        modes[method] = evidence
    if not modes:
        raise next(iter(unavailable.values()))
    return Modes(modes, {method: str(error) for method, error in unavailable.items()})


def judge_card(
    modes: Modes,
    asked: Asked,
    seed: int = 0,
    draws: int = DRAWS,
    given_ceiling: float | None = None,
    prices: Mapping[str, Price] | None = None,
) -> dict[str, Any]:
    """Return the card of a judge: what it is worth by each method, which to use, and what people themselves agree on."""
    evidence = [e for some in modes.evidence.values() for e in some]
    if not evidence:
        raise CaifError("there is nothing to judge: no principle applies to any of the pairs", "name others: --principles")
    rows = {method: labelled(some) for method, some in modes.evidence.items()}
    pairs = [pair for read in asked.files.values() for pair in read.pairs]
    found = {
        "people": _people(asked, pairs, given_ceiling, seed, draws),
        "comparisons": comparisons(rows, draws, seed),
        "recommendation": recommend(rows, len(pairs), draws, seed),
        "temperatures": {method: scaled(some, seed) for method, some in modes.evidence.items()},
        "unavailable": modes.unavailable,
    }
    return {**card(evidence, seed, draws, prices=prices), **plain(found)}


def _people(asked: Asked, pairs: Sequence[Pair], given: float | None, seed: int, draws: int) -> dict[str, Any]:
    """Return what the pairs are, and what a judge has to beat: people's own agreement above, and length alone below."""
    by_length = [Labelled(p.comparison.prompt.opening, _longer(p), p.people) for p in pairs]
    return {
        "files": {name: about(read) for name, read in asked.files.items()},
        "ceiling": ceiling([(p.comparison.prompt.opening, p.people) for p in pairs], draws, seed),
        "given_ceiling": given,
        "longer_is_better": agreement(by_length, draws, seed)["accuracy"],
    }


def _longer(pair: Pair) -> int:
    gap = len(pair.comparison.a) - len(pair.comparison.b)
    return TIE if gap == 0 else A if gap > 0 else B


def calibrations(table: Mapping[str, Any], judge: str, fitted_on: str) -> dict[str, dict[str, Any]]:
    """Return, by method, the file that a run names to use a temperature: none where it could not be fitted."""
    return {
        method: {
            "judge": judge, "method": method, "temperature": found["temperature"],
            "pairs": found["fitted_on"]["pairs"], "fitted_on": fitted_on,
        }
        for method, found in table["temperatures"].items()
        if found["temperature"] is not None and not found["edge"]
    }  # fmt: skip
