"""What a batch's rewards come to: weights by step, answers cut off, constraints, and what is logged of it."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from caif.sections.rl import Rl
from caif.text import said_again
from caif.training.answers import RUN, Answers
from caif.training.payment import Payment

FOUR = [[0.0, 1.0], [1.0, 0.0], [2.0, 0.5], [3.0, 0.25]]


def cfg(**fields: Any) -> Rl:
    """A section of a run file for groups of four."""
    return Rl.model_validate({"model": {"use": "hf:x"}, "generations": 4, **fields})


def answers(rewards: list[list[float]], cut: tuple[int, ...] = (), **facts: list[float]) -> Answers:
    """A batch of which some answers were cut off."""
    table, none = torch.tensor(rewards), torch.zeros(len(rewards))
    ended = torch.tensor([n not in cut for n in range(len(rewards))])
    known = {name: torch.tensor(values) for name, values in facts.items()}
    given = {"safety": none.bool(), "length": none, "repeated": none, "refusing": none, **known}
    return Answers([f"p{n // 4}" for n in range(len(rewards))], table, ended, **given)


def paid(section: Rl, batch: Answers, step: int = 1) -> Tensor:
    """Its advantages."""
    return Payment(["help", "safe"], section)(batch, step)[0]


def test_an_answer_cut_off_is_no_part_of_its_group() -> None:
    """The others get what they would get without it; it gets nothing, or the penalty; or it is one like all."""
    three = Payment(["help", "safe"], cfg(generations=3))(answers(FOUR[:3]), 1)[0]
    masked = paid(cfg(truncated="mask"), answers(FOUR, cut=(3,)))
    fined = paid(cfg(truncated="penalty", penalty=0.7), answers(FOUR, cut=(3,)))
    kept = paid(cfg(truncated="keep"), answers(FOUR, cut=(3,)))
    assert torch.allclose(masked, torch.tensor([*three.tolist(), 0.0]).double())
    assert torch.allclose(fined, torch.tensor([*three.tolist(), -0.7]).double())
    assert torch.equal(kept, paid(cfg(), answers(FOUR)))
    assert not torch.allclose(kept[:3], three)


def test_a_group_that_was_cut_off_whole_teaches_nothing() -> None:
    """No number is made of no measurement, and the share that counts says so."""
    advantages, told = Payment(["help", "safe"], cfg())(answers(FOUR, cut=(0, 1, 2, 3)), 1)
    assert advantages.tolist() == [0.0] * 4
    assert told["counted"] == 0.0
    assert math.isnan(told["spread/help"])


def test_weights_change_with_the_step_and_are_logged_where_they_do() -> None:
    """At its beginning a schedule is its first weight, at its end its last; the advantages follow."""
    payment = Payment(["help", "safe"], cfg(weights={"help": 1.0, "safe": {"linear": [[1, 0.0], [11, 1.0]]}}))
    assert payment.weights(1).tolist() == [1.0, 0.0]
    assert payment.weights(6).tolist() == [1.0, 0.5]
    (first, told), (last, later) = (payment(answers(FOUR), step) for step in (1, 11))
    assert (told["weights/safe"], later["weights/safe"]) == (0.0, 1.0)
    assert "weights/help" not in told
    assert int(first.argmax()) == 3
    assert last[0] > first[0]


def test_what_has_a_constraint_is_not_paid_for_besides_unless_it_is_weighed() -> None:
    """Its weight is 0 by default, so a bound that is kept leaves the policy to the other rewards."""
    bound = {"constraints": {"safe": {"at_least": -9.0}}}
    assert Payment(["help", "safe"], cfg(**bound)).weights(0).tolist() == [1.0, 0.0]
    assert Payment(["help", "safe"], cfg(**bound, weights={"safe": 2.0})).weights(0).tolist() == [1.0, 2.0]
    payment = Payment(["help", "safe"], cfg(**bound))
    for step in range(1, 60):
        advantages, told = payment(answers(FOUR), step)
    alone = Payment(["help"], cfg())(answers([row[:1] for row in FOUR]), 1)[0]
    assert torch.allclose(advantages, alone, atol=0.01)
    assert told["constraints/safe/multiplier"] < 0.01
    assert told["constraints/safe/mean"] == pytest.approx(0.4375)
    assert told["constraints/safe/infeasible"] == 0.0


def test_noise_comes_from_the_run_file_then_the_reward_model_then_a_default() -> None:
    """The larger the floor, the less a small gap counts."""
    near = [[0.0, 0.0], [0.01, 0.0], [0.0, 0.0], [0.01, 0.0]]
    sizes = [
        float(Payment(["help", "safe"], cfg(floors=floors), noise)(answers(near), 1)[0].max())
        for floors, noise in (({}, {}), ({}, {"help": 0.5}), ({"help": 1.0}, {"help": 0.5}), ({"help": 0.0}, {}))
    ]
    assert sizes == pytest.approx([0.05, 0.005, 0.0025, 0.433], rel=0.01)


def test_authority_is_the_constitutions_unless_the_run_file_says_otherwise() -> None:
    """`lexicographic` ranks by it."""
    table = [[9.0, -3.0], [0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]
    section = cfg(aggregation="lexicographic")
    assert int(Payment(["help", "safe"], section, authority={"safe": 1})(answers(table), 1)[0].argmin()) == 0
    other = cfg(aggregation="lexicographic", authority={"help": 2})
    assert int(Payment(["help", "safe"], other, authority={"safe": 1})(answers(table), 1)[0].argmax()) == 0


def test_facts_are_read_off_the_answers_own_ids_and_text() -> None:
    """Ended is what ends with an end, whatever the prompt holds; runs of four that come again are repetition."""
    asked = [{"prompt_id": "p", "tags": ["risk"]}, {"prompt_id": "q", "tags": []}]
    found = Answers.of(
        torch.zeros(2, 1), asked, ["I'm sorry, I can't help.", "yes"], [[5, 6, 2], [2, 5]], {2}, ["risk"]
    )
    assert found.prompts == ["p", "q"]
    assert found.finished.tolist() == [True, False]
    assert found.safety.tolist() == [True, False]
    assert found.length.tolist() == [3.0, 2.0]
    assert found.refusing.tolist() == [1.0, 0.0]
    assert said_again([1, 2, 3], RUN) == 0.0
    assert said_again([1, 2, 3, 4, 5, 6], RUN) == 0.0
    assert said_again([7] * 8, RUN) == pytest.approx(0.8)
