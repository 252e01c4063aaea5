"""The card of a set of judgements: what they are worth, overall and by principle, judge, method and source, as plain data."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from caif.audit.agreement import agreement
from caif.audit.honesty import Evidence, calibration, labelled
from caif.audit.judgements import behaviour
from caif.data import Judgement
from caif.intervals import CHANCE, side_of
from caif.judge import MIN_MASS
from caif.models.account import Price
from caif.report.numbers import plain

DRAWS = 2000
GROUPS: Mapping[str, Callable[[Judgement], str]] = {
    "principles": lambda j: j.principle, "judges": lambda j: j.judge, "methods": lambda j: j.method,
    "sources": lambda j: j.source,
}  # fmt: skip
FEW_PROMPTS = 20
"""Fewer prompts than this give intervals that are too narrow."""
FLIPS, ABSTENTIONS, LENGTH, UNDECIDED = 0.25, 0.1, 1.0, 0.5
"""What is worth a word of caution: changed minds, abstentions, how steeply choices follow length, and ties."""


def card(
    evidence: Sequence[Evidence],
    seed: int = 0,
    draws: int = DRAWS,
    floor: float = MIN_MASS,
    prices: Mapping[str, Price] | None = None,
) -> dict[str, Any]:
    """Return the measures of all judgements, and of each group of them by what they have in common."""

    def measured(some: Sequence[Evidence]) -> dict[str, Any]:
        return {
            **behaviour([e.judgement for e in some], draws, seed, floor, prices),
            **agreement(labelled(some), draws, seed),
            **calibration(some, draws, seed),
        }

    overall = measured(evidence)
    groups = {kind: _grouped(evidence, name) for kind, name in GROUPS.items()}
    table = {"overall": overall} | {
        kind: {name: overall if len(some) == len(evidence) else measured(some) for name, some in parts.items()}
        for kind, parts in groups.items()
    }
    return plain({**table, "cautions": cautions(table), "draws": draws, "seed": seed})  # type: ignore[no-any-return]


def cautions(table: Mapping[str, Any]) -> list[str]:
    """Return what a reader should not overlook, in sentences; the worst first."""
    overall, said = table["overall"], []
    for kind in ("methods", "principles"):
        for name, row in table[kind].items():
            accuracy = row.get("accuracy")
            if accuracy and side_of(accuracy, CHANCE) < 0:
                said.append(f"{name}: people say the opposite more often than not ({accuracy['mean']:.0%} agree).")
            elif accuracy and side_of(accuracy, CHANCE) == 0 and accuracy["low"] is not None:
                said.append(f"{name}: cannot be told from chance on people's pairs ({accuracy['mean']:.0%} agree).")
    if (flips := overall.get("flip_rate")) and flips["mean"] > FLIPS:
        said.append(f"The two orders of the same answers got different verdicts in {flips['mean']:.0%} of comparisons.")
    if (silent := overall.get("abstained")) and silent["mean"] > ABSTENTIONS:
        said.append(f"{silent['mean']:.0%} of the judgements are no verdict: they are out of every other number here.")
    if (ties := overall.get("ties")) and ties["mean"] > UNDECIDED:
        said.append(f"The judge decides nothing in {ties['mean']:.0%} of what it judged: it gives both answers one half.")
    slope = overall.get("length_slope")
    if slope and abs(slope["mean"]) > LENGTH and side_of(slope, 0.0):
        said.append(f"Choices follow length: {'longer' if slope['mean'] > 0 else 'shorter'} answers are preferred.")
    if overall.get("mass") and overall["mass"]["below_floor"] > 0:
        said.append(f"{overall['mass']['below_floor']:.0%} of the judgements put next to nothing on the options.")
    if overall.get("pairs") and overall["ece"] and overall["ece"] > 2 * overall["ece_noise"]:
        said.append("The probabilities are not what they say: fit a temperature before their size is used.")
    if 0 < overall.get("prompts", 0) < FEW_PROMPTS:
        said.append(f"There are only {overall['prompts']} prompts: intervals over so few are narrower than they should be.")
    return said


def _grouped(evidence: Sequence[Evidence], name: Callable[[Judgement], str]) -> dict[str, list[Evidence]]:
    groups: dict[str, list[Evidence]] = {}
    for e in evidence:
        groups.setdefault(name(e.judgement), []).append(e)
    return dict(sorted(groups.items()))
