"""A budget is never passed, is the same in all lives of a run, and at its end nothing is lost."""

import re
from pathlib import Path
from typing import Any

import pytest
from fakes import config
from stub import Reply, ask, engine, failed, model, said, serving, text_of
from test_engine import Batches, requests

from caif.config import Budget, ModelSpec
from caif.errors import STOPPED, WRONG, CaifError
from caif.hookspecs import Model, Params
from caif.ledger import Ledger
from caif.models.account import Account, Price, opened, prices

MANY = [f"question {n:02}" for n in range(40)]
COST = 5
"""Tokens that the stub reports for a call."""


def broke(home: Path, budget: Budget, run: str = "mine", price: Price | None = None, **settings: Any) -> Any:
    """Return an engine with a budget, which knows what its run has spent before."""
    rounds = engine(home, **settings)
    rounds.account = Account(run, budget, {"openai:m": price} if price else {})
    rounds.account.load(rounds.ledger.paid(run))
    return rounds


def echo(request: dict[str, Any], before: int) -> Reply:
    del before
    return Reply(said(text_of(request)).body, wait=0.01)


@pytest.mark.parametrize("concurrency", [1, 16])
def test_calls_stop_exactly_at_the_budget_and_go_on_with_a_higher_one(tmp_path: Path, concurrency: int) -> None:
    """Exit code 3, what was spent and what is left; not one call too many, however many are in flight; nothing twice."""
    with serving(echo) as stub:
        with pytest.raises(CaifError) as caught:
            ask(broke(tmp_path, Budget(calls=13), concurrency=concurrency), model(stub), *MANY)
        assert len(stub.calls) == 13
        assert caught.value.code == STOPPED
        assert "budget_stopped: spent 13 calls, 65 tokens" in str(caught.value)
        assert "test: 27 of 40 answers are left to get" in str(caught.value)
        assert "raise budget.calls" in caught.value.remedy
        with pytest.raises(CaifError, match="spent 13 calls"):
            ask(broke(tmp_path, Budget(calls=13)), model(stub), *MANY)
        assert len(stub.calls) == 13, "the next life of the run has what the first has left, which is nothing"
        answers = ask(broke(tmp_path, Budget(calls=40)), model(stub), *MANY)
    assert [a.text for a in answers] == MANY
    assert len(stub.calls) == 40


@pytest.mark.parametrize(
    ("budget", "price"), [(Budget(tokens=100), None), (Budget(money=1e-4), Price(1.0, 1.0))], ids=["tokens", "money"]
)
def test_tokens_and_money_are_not_passed_and_are_used_up(tmp_path: Path, budget: Budget, price: Price | None) -> None:
    """Room for 20 calls of 5 tokens: a call is begun only if all it may cost fits, so the last ones may be left over."""
    with serving(echo) as stub:
        rounds = broke(tmp_path, budget, price=price)
        with pytest.raises(CaifError, match="budget_stopped"):
            ask(rounds, model(stub), *MANY)
    assert rounds.account.spent.tokens == COST * len(stub.calls) <= 100
    assert len(stub.calls) >= (100 - 3 - 20) // COST - 1, "what a call may cost is 3 tokens in and 20 out"
    assert rounds.account.held.calls == 0


def test_answers_that_another_run_has_paid_for_are_free(tmp_path: Path) -> None:
    """The ledger is shared; the account is the run's own."""
    with serving(echo) as stub:
        ask(broke(tmp_path, Budget(), run="other"), model(stub), *MANY[:30])
        assert len(ask(broke(tmp_path, Budget(calls=10)), model(stub), *MANY)) == 40
    assert Ledger(tmp_path / "ledger.db").paid("mine")["openai:m"].calls == 10


def test_calls_that_bring_no_answer_are_not_counted(tmp_path: Path) -> None:
    """Nobody says what they cost; the budget is kept for answers."""
    with serving(lambda r, before: failed(500) if before < 2 else echo(r, before)) as stub:
        ask(broke(tmp_path, Budget(calls=5)), model(stub), *MANY[:5])
    assert len(stub.calls) == 15


def test_models_on_this_machine_are_free_unless_priced(tmp_path: Path) -> None:
    """Weights of one's own cost no calls; with a price they are held against the budget, whole batches at a time."""
    local, budget = Model("hf:mine", Batches(), None), Budget(calls=1)
    free = broke(tmp_path / "free", budget)
    assert len(free.ask(local, requests(6), Params())) == 6
    dear = broke(tmp_path / "dear", budget)
    dear.account.prices = {"hf:mine": Price(1.0, 1.0)}
    with pytest.raises(CaifError, match="budget_stopped"):
        dear.ask(local, requests(6), Params())
    assert dear.ledger.spent() == {}


def test_money_cannot_be_counted_without_prices(tmp_path: Path) -> None:
    """Wrong input, said before a call is made; a price of 0 is a price."""
    with serving(echo) as stub:
        with pytest.raises(CaifError, match=re.escape("openai:m has no price")) as caught:
            ask(broke(tmp_path, Budget(money=1.0)), model(stub), *MANY)
        assert (caught.value.code, stub.calls) == (WRONG, [])
        ask(broke(tmp_path, Budget(money=1.0), price=Price(0.0, 0.0)), model(stub), *MANY)


def test_prices_are_read_from_the_models_table_and_are_in_no_name() -> None:
    """A judge that gets dearer is the same judge: its answers and artifacts stay."""
    cheap = {"use": "openai:m", "base_url": "http://x/v1", "price_in": 0.1, "price_out": 0.4}
    judge = {"use": "ai-labeler", "judge": "judge"}
    run = config(models={"judge": cheap}, feedback=[judge])
    assert prices(run) == {"openai:m@http://x/v1": Price(0.1, 0.4)}
    assert Price(0.1, 0.4).of(2e6, 1e6) == pytest.approx(0.6)
    account = opened(run, None)
    assert account.charge("openai:m@http://x/v1", 2, 1000, 500)._asdict() == {
        "calls": 2, "tokens": 1500, "money": pytest.approx(3e-4),
    }  # fmt: skip
    from caif.models.resolve import identity

    assert identity(ModelSpec(**cheap)) == identity(ModelSpec(use="openai:m", base_url="http://x/v1"))


def test_a_ledger_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    """Its answers are nobody's: free for every run."""
    import sqlite3

    ledger = Ledger(tmp_path / "ledger.db")
    ledger.close()
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute("alter table answers drop column run")
    assert Ledger(tmp_path / "ledger.db").paid("") == {}
