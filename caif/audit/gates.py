"""Gates: bounds on a card's numbers, such as `flip_rate>0.15`, that fail a command when they hold."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, get_args

from caif.data import Verdict
from caif.errors import CaifError, nearest

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_GATE = re.compile(r"\s*([^<>=!]+?)\s*(>=|<=|==|!=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")
_ESTIMATE = {"mean", "low", "high", "n"}
MISSING = {
    "flip_rate": "nothing was asked in both orders", "position_bias": "nothing was asked in both orders",
    "position_bias_second": "nothing was asked in both orders", "position_lean": "nothing was asked in both orders",
    "self_consistency": "nothing was voted on: only votes read a question more than once",
    "mass": "no judgement says how much mass was on the options", "price": "the price of a judge is not known",
    "accuracy": "people decided no pair that was judged, or all on one prompt, which tells no interval",
    **dict.fromkeys(("kappa", "alpha"), "people judged nothing that was judged here, or everything is said to be alike"),
    **dict.fromkeys(("brier", "ece", "log_loss"), "people judged nothing that was judged here"),
    "ties": "nothing was judged", "longer_preferred": "no judged answers differ in length",
    "length_slope": "no judged answers differ in length",
}  # fmt: skip
"""Why a number can be missing, by its name."""
ROOTS = {
    "judgements", "prompts", "flip_rate", "position_bias", "position_bias_second", "self_consistency", "ties", "abstained",
    "longer_preferred", "suspected_injection", "position_lean", "length_slope", "verdicts", "reasons", "mass", "tokens_in",
    "tokens_out", "price", "pairs", "decided", "accuracy", "coverage", "kappa", "alpha", "prevalence", "log_loss", "brier", "ece",
    "ece_noise", "principles", "judges", "methods", "sources", "people", "temperatures", "attacks", "selftest",
    "recommendation", "draws", "seed",
}  # fmt: skip
"""What a card's numbers are called up to the first dot, so that a mistyped gate is told before anything is asked."""


class Gate(NamedTuple):
    """One bound: the gate fails where `number(name) op bound` is true."""

    name: str
    op: str
    bound: float
    text: str


class Outcome(NamedTuple):
    """What became of a gate."""

    gate: str
    failed: bool
    said: str


def parse(text: str) -> Gate:
    """Read NAME OP NUMBER."""
    found = _GATE.fullmatch(text)
    if not found:
        raise CaifError(f"--fail-on {text!r}: is not NAME OP NUMBER", 'write for example "flip_rate>0.15"')
    name, op, bound = found.groups()
    if name.partition(".")[0] not in ROOTS:
        raise CaifError(f"--fail-on {text!r}: no card has a number {name!r}", nearest(name, ROOTS))
    return Gate(name, op, float(bound), text)


def numbers(card: Mapping[str, Any]) -> dict[str, float | None]:
    """Return every number of a card by its dotted name, None where it is missing.

    What is overall goes without that word. An estimate's name is its mean's; its ends are NAME.low and NAME.high.
    """
    found = _flat(card["overall"], "")
    for kind, part in card.items():
        if kind != "overall" and isinstance(part, Mapping):
            found |= _flat(part, kind)
    return found


def _flat(value: object, path: str) -> dict[str, float | None]:
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return {path: value}
    if not isinstance(value, Mapping):
        return {}
    if path.rpartition(".")[2] == "verdicts":  # what nobody said is known to be none
        value = dict.fromkeys(get_args(Verdict), 0) | dict(value)
    found: dict[str, float | None] = {path: value["mean"]} if _ESTIMATE <= value.keys() else {}
    for key, item in value.items():
        if key != "mean" or not found:
            found |= _flat(item, f"{path}.{key}" if path else str(key))
    return found


def check(card: Mapping[str, Any], gates: Sequence[Gate]) -> list[Outcome]:
    """Return what becomes of each gate. A number that is missing fails its gate: nothing is known to be well."""
    known = numbers(card)
    return [_outcome(gate, known) for gate in gates]


def _outcome(gate: Gate, known: Mapping[str, float | None]) -> Outcome:
    value = known.get(gate.name)
    if value is None:
        parts = gate.name.split(".")
        wholes = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
        if not any(whole in known and known[whole] is None for whole in wholes):
            raise CaifError(f"--fail-on {gate.text!r}: the card has no number {gate.name!r}", nearest(gate.name, known))
        why = next((MISSING[part] for part in reversed(parts) if part in MISSING), "it was not measured")
        return Outcome(gate.text, True, f"{gate.name} is missing: {why}")
    failed = OPERATORS[gate.op](value, gate.bound)
    return Outcome(gate.text, failed, f"{gate.name} is {value:.4g}")
