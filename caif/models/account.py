"""What a run has cost and may still cost: every call is held against the budget before it is made.

A call is held at what it may cost at most, as far as that is known: its estimated tokens in and all tokens out that it is
allowed. When it is answered what it did cost takes that place. So calls in flight are part of the sum, and the budget is
not passed by them; where they are all that is in the way, a call waits until they have landed.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import BaseModel

from caif.config import TUNED, Budget, ModelSpec, RunConfig
from caif.errors import STOPPED, CaifError
from caif.hookspecs import Answer
from caif.ledger import Ledger, Spent
from caif.models.resolve import identity, is_local

WAIT = 0.02


class Halt(CaifError):
    """No further call may be made: what is in flight is let land, then the stage stops and can go on another time."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message, remedy, code=STOPPED)


class Late(Halt):
    """A stage's time is over."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__(f"time_stopped: the stage's {seconds:g} s are over", "raise exec.stage_deadline, or run again to go on")


class Price(NamedTuple):
    """What a million tokens cost, in any one currency."""

    into: float
    out: float

    def of(self, tokens_in: float, tokens_out: float) -> float:
        """Return what so many tokens cost."""
        return (self.into * tokens_in + self.out * tokens_out) / 1e6


class Cost(NamedTuple):
    """Calls, tokens and money, named as the limits of `[budget]`; `tokens` are those in and out."""

    calls: float = 0
    tokens: float = 0
    money: float = 0

    def plus(self, other: "Cost", sign: int = 1) -> "Cost":
        """Return the sum, or the difference."""
        return Cost(*(mine + sign * its for mine, its in zip(self, other, strict=True)))

    def __str__(self) -> str:
        return f"{self.calls:,.0f} calls, {self.tokens:,.0f} tokens, {self.money:,.4g} in money"


NOTHING = Cost()


@dataclass
class Account:
    """The account of one run. `prices` are by resolved model name; a local model without one is not counted at all.

    Without a limit nothing is counted while the run works: the ledger knows what was spent.
    """

    run: str = ""
    budget: Budget = field(default_factory=Budget)
    prices: Mapping[str, Price] = field(default_factory=dict)
    spent: Cost = NOTHING
    held: Cost = NOTHING

    def __post_init__(self) -> None:
        self.limited = bool(self.budget.limits)

    def charge(self, model: str, calls: float, tokens_in: float, tokens_out: float) -> Cost:
        """Return what calls to a model are to this account."""
        if is_local(model) and model not in self.prices:
            return NOTHING
        price = self.prices.get(model, Price(0, 0))
        return Cost(calls, tokens_in + tokens_out, price.of(tokens_in, tokens_out))

    def refuse_unpriced(self, model: str) -> None:
        """Refuse a server's model without a price where money is limited: its calls could not be counted."""
        if self.budget.money is not None and model not in self.prices and not is_local(model):
            raise CaifError(f"budget.money is set and {model} has no price", "give it price_in and price_out, 0 if it is free")

    def load(self, spent: Mapping[str, Spent]) -> None:
        """Take over what the ledger says that the run has cost in its earlier lives, by model."""
        for model, (calls, tokens_in, tokens_out) in spent.items():
            self.spent = self.spent.plus(self.charge(model, calls, tokens_in, tokens_out))

    async def hold(self, model: str, tokens_in: float, tokens_out: float) -> Cost:
        """Hold what a call may cost, when there is room for it; raise Halt if there will be none."""
        if not self.limited:
            return NOTHING
        cost = self.charge(model, 1, tokens_in, tokens_out)
        while (limit := self._passed_by(cost)) and self.held.calls > 0:
            await asyncio.sleep(WAIT)
        return self._hold(cost, limit)

    def hold_now(self, cost: Cost) -> Cost:
        """Hold a batch's cost, or raise Halt: local models answer one batch at a time."""
        return self._hold(cost, self._passed_by(cost))

    def settle(self, cost: Cost, model: str, *answers: Answer) -> None:
        """Put what answers did cost in the place of what was held for them; without any the call is not known to cost."""
        if not self.limited:
            return
        self.held = self.held.plus(cost, -1)
        for answer in answers:
            self.spent = self.spent.plus(self.charge(model, 1, answer.tokens_in, answer.tokens_out))

    def _hold(self, cost: Cost, limit: str) -> Cost:
        if limit:
            raise Halt(f"budget_stopped: spent {self.spent}", f"raise budget.{limit} and run again to go on")
        self.held = self.held.plus(cost)
        return cost

    def _passed_by(self, cost: Cost) -> str:
        wanted = self.spent.plus(self.held).plus(cost)._asdict() if any(cost) else {}
        return next((name for name, most in self.budget.limits.items() if wanted.get(name, 0) > most), "")


def opened(config: RunConfig, ledger: Ledger | None) -> Account:
    """Return the account of a run, with what its earlier lives have cost."""
    account = Account(config.name, config.budget, prices(config))
    if ledger is not None:
        account.load(ledger.paid(config.name))
    return account


def prices(config: BaseModel) -> dict[str, Price]:
    """Return the prices that a run file or a model's table names, by resolved model name."""
    priced = [spec for spec in specs(config) if spec.price_in is not None or spec.price_out is not None]
    return {identity(spec): Price(spec.price_in or 0.0, spec.price_out or 0.0) for spec in priced}


def unpriced(config: RunConfig) -> list[str]:
    """Return the servers' models that a budget of money cannot count, as lines."""
    if config.budget.money is None:
        return []
    names = {identity(spec) for spec in specs(config) if spec.use != TUNED}
    missing = sorted(name for name in names if not is_local(name) and name not in prices(config))
    return [f"money is set and {name} has no price; give it price_in and price_out, 0 if it is free" for name in missing]


def specs(value: Any) -> Iterator[ModelSpec]:
    """Yield every model that a config names as such, in whatever table."""
    if isinstance(value, ModelSpec):
        yield value
    elif isinstance(value, BaseModel):
        for _, item in value:
            yield from specs(item)
    elif isinstance(value, (dict, list, tuple)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from specs(item)
