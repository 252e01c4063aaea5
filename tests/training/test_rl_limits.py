"""The guards' rules, on made-up logs: what passes, what does not, how long it may last, and whose reward it was."""

from typing import Any

import pytest

from caif.sections.rl import Guards
from caif.training.limits import passed, risen, tripped

START: dict[str, Any] = {
    "loss": 0.1, "grad_norm": 1.0, "reward": 0.0, "kl_sequence": 0.0, "completions/mean_length": 20.0, "entropy": 2.0,
    "repetition": 0.0, "refusals": 0.1, "spread/help": 0.5, "spread/safe": None,
    "rewards/help/mean": 0.0, "rewards/help/std": 1.0, "rewards/safe/mean": 0.0, "rewards/safe/std": 0.1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("guard", "change"),
    [
        ("finite", {"loss": float("nan")}),
        ("finite", {"grad_norm": float("inf")}),
        ("finite", {"reward": float("inf")}),
        ("kl", {"kl_sequence": 51.0}),
        ("longer", {"completions/mean_length": 41.0}),
        ("shorter", {"completions/mean_length": 4.0}),
        ("entropy", {"entropy": 0.01}),
        ("repetition", {"repetition": 0.6}),
        ("refusals", {"refusals": 0.41}),
        ("spread", {"spread/help": 0.0}),
        ("spread", {"spread/help": None}),
        ("preference", {"heldout/preference": 0.3, "reward": 0.5}),
        ("outside", {"coverage/outside": 0.9}),
    ],
)
def test_each_guard_trips_past_its_limit_after_its_patience(guard: str, change: dict[str, Any]) -> None:
    """In a row; one step within the limit begins anew. What is not finite and the held-out judge do not wait."""
    guards = Guards(patience=3, flat=5)
    patience = {"finite": 1, "preference": 1, "spread": 5}.get(guard, 3)
    bad = {**START, **change}
    assert passed(START, START, guards)
    assert passed(START, bad, guards) == (guard == "spread")  # a step that taught nothing did no harm
    assert tripped([START, *[bad] * (patience - 1)], guards) is None
    found = tripped([START, *[bad] * patience], guards)
    assert found is not None
    assert found.guard == guard
    assert "limit" in found.what or guard == "finite"
    if patience > 1:
        assert tripped([START, *[bad] * (patience - 1), START, bad], guards) is None


@pytest.mark.parametrize(
    "change",
    [
        {"kl_sequence": 49.0}, {"completions/mean_length": 39.0}, {"completions/mean_length": 6.0}, {"refusals": 0.39},
        {"spread/help": 0.0, "spread/safe": 0.2}, {"heldout/preference": 0.3, "reward": -0.5},
        {"heldout/preference": 0.4, "reward": 0.5}, {"kl_sequence": None}, {"entropy": None},
        {"coverage/outside": 0.7},
    ],
)  # fmt: skip
def test_what_is_within_the_limits_passes(change: dict[str, Any]) -> None:
    """A judge that turns away from answers that are paid less is right; a number that is not there trips nothing."""
    assert passed(START, {**START, **change}, Guards())
    assert tripped([START, *[{**START, **change}] * 20], Guards()) is None


@pytest.mark.parametrize(
    "guard", [name for name in Guards.model_fields if name not in ("on_trip", "patience", "flat", "every", "sample")]
)
def test_each_guard_can_be_switched_off(guard: str) -> None:
    """All limits off but what is not finite, which nobody wants."""
    bad = {
        **START, "kl_sequence": 999.0, "entropy": 0.0, "repetition": 1.0, "refusals": 1.0, "reward": 1.0,
        "heldout/preference": 0.0, "spread/help": 0.0, "coverage/outside": 1.0,
        "completions/mean_length": 1.0 if guard == "shorter" else 999.0,
    }  # fmt: skip
    every = {
        name: "off" for name in Guards.model_fields if name not in ("on_trip", "patience", "flat", "every", "sample")
    }
    off, on = Guards.model_validate(every), Guards.model_validate({**every, guard: getattr(Guards(), guard)})
    assert tripped([START, *[bad] * 10], off) is None
    assert tripped([START, *[bad] * 10], on) is not None


def test_the_reward_that_rose_most_in_its_own_unit_is_named() -> None:
    """In the direction in which it is paid; one that nothing is known of is not named."""
    now = {**START, "rewards/help/mean": 1.0, "rewards/safe/mean": 0.5}
    assert risen(START, now, {"help": 1.0, "safe": 1.0}) == "safe"
    assert risen(START, now, {"help": 1.0, "safe": -1.0}) == "help"
    assert risen(START, now, {"mute": 1.0}) == ""
