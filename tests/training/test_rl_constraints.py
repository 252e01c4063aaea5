"""Constraints: multipliers that rise while a bound is broken, say when it is out of reach, and find the best that keeps it."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor

from caif.sections.rl import Constraint, Rl
from caif.training.answers import Answers
from caif.training.constraints import HOPELESS, LEAST, Multiplier, begin, constrained, moved
from caif.training.payment import Payment

ARMS = {"help": [1.0, 0.8, 0.3, 0.0], "safe": [-1.0, 0.5, 0.2, 1.0], "cost": [0.9, 0.9, 0.1, 0.0]}
BOUNDS = {"safe": {"at_least": 0.3}, "cost": {"at_most": 0.5}}


def after(rule: Constraint, *means: float, spread: float = 1.0) -> Multiplier:
    """The multiplier after batches with these mean rewards."""
    now = begin(rule)
    for mean in means:
        now = moved(now, rule, mean, spread)
    return now


def trained(
    arms: Mapping[str, Sequence[float]], bounds: Mapping[str, dict[str, float]], steps: int
) -> tuple[Tensor, Payment]:
    """Train a softmax policy over arms with a run's own payment; return its probabilities step by step."""
    cfg = Rl.model_validate({"model": {"use": "hf:x"}, "generations": 16, "constraints": bounds})
    payment, table = Payment(list(arms), cfg), torch.tensor(list(arms.values())).T
    draws = torch.Generator().manual_seed(1)
    logits = torch.zeros(len(table), requires_grad=True)
    optimizer = torch.optim.SGD([logits], lr=0.3)
    policies = []
    for step in range(1, steps + 1):
        policy = logits.softmax(-1)
        chosen = torch.multinomial(policy.detach(), 64, replacement=True, generator=draws)
        rewards = table[chosen] + 0.1 * torch.randn(64, len(arms), generator=draws)
        ended, none = torch.ones(64, dtype=torch.bool), torch.zeros(64)
        advantages, _ = payment(Answers([""] * 64, rewards, ended, ~ended, none, none, none), step)
        optimizer.zero_grad()
        (-(advantages.float() * policy[chosen].log()).mean()).backward()
        optimizer.step()
        policies.append(policy.detach())
    return torch.stack(policies), payment


def test_two_constraints_on_a_bandit_lead_to_the_best_that_keeps_them() -> None:
    """Reward and both bounds of the last policies are those of the linear programme; unbound it would take the first arm."""
    table = np.array(list(ARMS.values()))
    best = linprog(-table[0], A_ub=[-table[1], table[2]], b_ub=[-0.3, 0.5], A_eq=[[1] * 4], b_eq=[1])
    policies, payment = trained(ARMS, BOUNDS, 400)
    reached = policies[-100:].numpy() @ table.T
    value, safe, cost = reached.mean(0)
    assert -best.fun == pytest.approx(0.5567, abs=1e-3)
    assert value == pytest.approx(-best.fun, abs=0.03)
    assert safe == pytest.approx(0.3, abs=0.05)
    assert cost == pytest.approx(0.5, abs=0.02)
    assert reached.std(0).max() < 0.05  # it has settled, and does not go round the optimum
    assert not any(multiplier.infeasible for multiplier in payment.multipliers.values())
    free, _ = trained({"help": ARMS["help"]}, {}, 60)
    assert int(free[-1].argmax()) == 0


def test_a_bound_out_of_reach_is_known_for_it() -> None:
    """No arm gives 1.5: the multiplier stays at its largest, the policy does what can be done, and it is said."""
    policies, payment = trained(ARMS, {"safe": {"at_least": 1.5}}, 80)
    assert payment.multipliers["safe"].infeasible
    assert payment.multipliers["safe"].value == pytest.approx(20.0)
    assert float(policies[-1] @ torch.tensor(ARMS["safe"])) > 0.8


def test_a_multiplier_rises_while_its_bound_is_broken_and_only_then() -> None:
    """Whichever way the bound is; it stays above 0 and under its limit."""
    low, high = Constraint(at_least=0.5), Constraint(at_most=0.5)
    assert after(low, 0.0).value > low.start > after(low, 1.0).value > 0
    assert after(high, 1.0).value > high.start > after(high, 0.0).value > 0
    assert after(low, *[-100.0] * 200).value == pytest.approx(low.most)
    assert after(low, *[100.0] * 200).value == pytest.approx(LEAST)
    assert after(low, 0.5).log == begin(low).log


def test_a_delay_watches_and_a_missing_mean_changes_nothing() -> None:
    """For so many batches only the average moves; a batch without the reward is no batch."""
    rule = Constraint(at_least=1.0, delay=2, memory=0.5)
    assert after(rule, 0.0, 0.0).value == rule.start
    assert after(rule, 0.0, 0.0).off == 1.0
    assert after(rule, 0.0, 0.0, 0.0).value > rule.start
    assert after(rule, 0.0, math.nan) == after(rule, 0.0)


def test_how_far_off_is_in_standard_deviations_and_averaged() -> None:
    """The same in any unit; a single bad batch counts by 1 - memory."""
    rule = Constraint(at_least=1.0, memory=0.75)
    ten = after(Constraint(at_least=10.0, memory=0.75), 0.0, spread=10.0)
    assert (after(rule, 0.0).value, after(rule, 0.0).spread, ten.spread) == (ten.value, 1.0, 10.0)
    assert after(rule, 1.0, 0.0).off == pytest.approx(0.25)


def test_a_batch_of_near_equals_does_not_throw_the_multiplier() -> None:
    """A tenth off the bound is a tenth of the usual spread, not ten of this batch's."""
    rule = Constraint(at_least=1.0)
    calm = moved(after(rule, *[1.0] * 4), rule, 0.9, 0.01)
    assert calm.spread == pytest.approx((4 + 0.01) / 5)
    assert calm.off == pytest.approx(0.5 * 0.1 / calm.spread)


def test_a_policy_that_follows_late_and_is_seen_through_noise_comes_to_its_bound() -> None:
    """As in a short run: 24 steps, means of a few answers, a policy that goes on a while in the way it went."""

    def reached(seed: int) -> float:
        random, rule = np.random.default_rng(seed), Constraint(at_least=0.5)
        now, at, way = begin(rule), -0.2, 0.0
        for _ in range(24):
            now = moved(now, rule, at + random.normal(0, 0.35), random.uniform(0.3, 1.1))
            pull = (now.value - 1) / (now.value + 1)  # what is left of two contrary objectives
            way = 0.7 * way + 0.3 * (pull + random.normal(0, 0.25))
            at = float(np.clip(at + 0.2 * way, -1.3, 1.8))
        return at

    assert np.mean([abs(reached(seed) - 0.5) < 0.35 for seed in range(100)]) > 0.88


def test_out_of_reach_is_said_after_long_enough_at_the_largest_and_taken_back() -> None:
    """So many batches in a row at its largest while still broken; one batch that keeps the bound ends it."""
    rule = Constraint(at_least=0.0, start=20.0, memory=0.0)
    assert not after(rule, *[-1.0] * (HOPELESS - 1)).infeasible
    assert after(rule, *[-1.0] * HOPELESS).infeasible
    assert not after(rule, *[-1.0] * HOPELESS, 1.0).infeasible


def test_however_large_a_multiplier_is_advantages_keep_their_size() -> None:
    """Small, it leaves the rest alone; large, only the constraint is left, at unit size and with its sign."""
    free, part = torch.tensor([[1.0, -1.0]]), torch.tensor([[-1.0, 1.0]])
    assert torch.allclose(constrained(free, [(1e-6, part)]), free, atol=1e-5)
    assert torch.allclose(constrained(free, [(1e6, part)]), part, atol=1e-5)
    assert torch.allclose(constrained(free, [(-1e6, part)]), -part, atol=1e-5)
    assert torch.equal(constrained(free, []), free)
