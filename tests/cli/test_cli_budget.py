"""The end of a budget, as a user meets it: code 3, one line, everything kept, and the way on."""


def test_a_budget_ends_a_run_honestly_and_a_higher_one_takes_it_on(place) -> None:
    """`caif show` says why it stopped, `caif plan` what is spent; with a higher budget the run ends as if never stopped."""
    stopped = place.caif("run", "run.toml", "budget.calls=3", "--until", "feedback")
    assert stopped.exit_code == 3
    assert "budget_stopped: spent 3 calls" in stopped.output
    assert "5 of 8 answers are left to get" in stopped.output
    assert "Stopped: budget_stopped: spent 3 calls" in place.caif("show", "demo").stdout
    planned = place.caif("plan", "run.toml", "budget.calls=3").stdout
    assert "Budget: calls 3; this run has spent 3 calls" in planned
    on = place.caif("run", "run.toml", "budget.calls=100", "--until", "feedback")
    assert on.exit_code == 0, on.output
    assert "Stopped" not in place.caif("show", "demo").stdout


def test_money_needs_prices(place) -> None:
    """Said as wrong input; with prices the plan states money."""
    refused = place.caif("run", "run.toml", "budget.money=1", "--until", "feedback")
    assert refused.exit_code == 2
    assert "has no price" in refused.output
    checked = place.caif("check", "run.toml", "budget.money=1")
    assert checked.exit_code == 2
    assert "echo:one has no price" in " ".join(checked.output.split())
    place.change('echo = "echo:one"', 'echo = { use = "echo:one", price_in = 1000000.0, price_out = 0.0 }')
    place.caif("run", "run.toml", "--until", "generate")
    words = " ".join(place.caif("plan", "run.toml", "generate.max_tokens=31").stdout.split("In all: ")[1].split())
    assert words.startswith("tokens in ")
    assert "money ?" not in words
