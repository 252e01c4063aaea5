"""What a run would cost before anything is asked: calls, tokens, money and time, stage by stage.

Calls are a bound. Tokens come from the lengths of the prompts, four characters a token, and from how long an answer may
get; where the ledger holds answers of the same stage and model, their averages take that place. Time comes from how fast
those came. What cannot be known beforehand is None, never zero.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import NamedTuple

from caif.config import TUNED, ModelSpec
from caif.ledger import Ledger, Usual
from caif.loads import Load, loads
from caif.models.account import Price, prices
from caif.models.resolve import identity, is_local
from caif.plan import Step
from caif.run import Run


class Estimate(NamedTuple):
    """What a stage costs; None is for what is not known. Seconds are those of its model calls alone."""

    calls: int | None = 0
    tokens_in: int | None = 0
    tokens_out: int | None = 0
    money: float | None = 0.0
    seconds: float | None = 0.0


def estimates(run: Run, planned: Sequence[Step]) -> dict[str, Estimate]:
    """Return what every stage costs; one that is done costs nothing."""
    usual, priced = _usual(run), prices(run.config)
    found: dict[str, Estimate] = {}
    for step, asked in zip(planned, loads(run, planned), strict=True):
        if asked is None:
            found[step.name] = Estimate(None, None, None, None, None)
        else:
            each = [_one(load, name, usual.get((step.name, name)), priced)
                    for load in asked if load.calls for name in [_name(load.model, planned)]]  # fmt: skip
            found[step.name] = total(each)
    return found


def total(some: Sequence[Estimate]) -> Estimate:
    """Return the sum; a part that is not known makes the sum of that column unknown."""
    return Estimate(*(_sum(column) for column in zip(*some, strict=True))) if some else Estimate()  # type: ignore[arg-type]


def _sum(column: tuple[float | None, ...]) -> float | None:
    return None if None in column else sum(value for value in column if value is not None)


def _one(load: Load, name: str, usual: Usual | None, priced: Mapping[str, Price]) -> Estimate:
    into = load.calls * (usual.tokens_in if usual and usual.tokens_in else load.tokens_in)
    out = load.calls * (usual.tokens_out if usual and usual.tokens_in else load.tokens_out)
    price = priced.get(name, Price(0, 0) if is_local(name) else None)
    return Estimate(
        load.calls, ceil(into), ceil(out), price.of(into, out) if price else None,
        load.calls / usual.rate if usual and usual.rate else None,
    )  # fmt: skip


def _name(spec: ModelSpec | None, planned: Sequence[Step]) -> str:
    """Return the name under which a model's answers are kept; a trained one is called like its artifact."""
    if spec is not None and spec.use != TUNED:
        return identity(spec)
    made = next((step for step in planned if step.by == "sft"), None)
    return f"{made.artifact.stage}-{made.artifact.key[:16]}" if made else TUNED


def _usual(run: Run) -> Mapping[tuple[str, str], Usual]:
    file = run.home / "ledger.db"
    if not file.is_file():
        return {}
    ledger = Ledger(file)
    try:
        return ledger.usual()
    finally:
        ledger.close()
