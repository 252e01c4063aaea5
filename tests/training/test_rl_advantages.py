"""Many rewards made one: what is missing is no value, what is noise stays small, what ranks higher comes first."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from caif.training.advantages import (
    AGGREGATES,
    Terms,
    lexicographic,
    minimum,
    normalize_then_sum,
    safety_first,
    soft_minimum,
    standardised,
    sum_then_normalize,
    veto,
)

NAN = math.nan
NAMES = sorted(AGGREGATES)


def rewards(*groups: list[list[float]]) -> Tensor:
    """Groups of answers, each with its objectives' rewards."""
    return torch.tensor(groups, dtype=torch.float64)


def terms(
    weights: list[float], floors: float | list[float] = 0.0, authority: list[int] | None = None, bar: float = -1.0,
    safety: list[list[bool]] | None = None,
) -> Terms:  # fmt: skip
    """Terms for so many objectives; the last is of the highest authority unless told otherwise."""
    known = [floors] * len(weights) if isinstance(floors, float) else floors
    ranks = list(range(len(weights))) if authority is None else authority
    bars = torch.full((len(weights),), bar, dtype=torch.float64)
    about = torch.tensor(safety if safety is not None else [[False]])
    return Terms(torch.tensor(weights).double(), torch.tensor(known).double(), torch.tensor(ranks), bars, about)


matrices = st.integers(1, 3).flatmap(
    lambda k: st.integers(2, 6).flatmap(
        lambda g: st.lists(
            st.lists(
                st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.25, 1.0, 3.0, NAN]), min_size=k, max_size=k),
                min_size=g, max_size=g,
            ),
            min_size=1, max_size=3,
        )
    )
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=25)
@given(given_rewards=matrices)
def test_whatever_is_missing_advantages_are_numbers_that_sum_to_nothing(name: str, given_rewards: list) -> None:  # type: ignore[type-arg]
    """An answer is NaN only where it has no reward at all; the others' mean is 0, and no size passes a group's limit."""
    table = torch.tensor(given_rewards, dtype=torch.float64)
    found = AGGREGATES[name](table, terms([1.0] * table.shape[2], 0.05))  # type: ignore[index]
    gone = table.isnan().all(-1)
    assert torch.equal(found.isnan(), gone)
    assert torch.allclose(found.nan_to_num(0.0).sum(1), torch.zeros(len(table), dtype=torch.float64), atol=1e-9)
    assert float(found.nan_to_num(0.0).abs().max()) <= math.sqrt(table.shape[1])


@pytest.mark.parametrize("name", NAMES)
def test_four_equal_answers_with_one_lost_judge_are_worth_the_same(name: str) -> None:
    """TRL's nansum makes -1.5 of the second answer's advantage; here all four are 0, and so is whoever lost both."""
    lost_one = rewards([[0.8, 0.8], [0.8, NAN], [0.8, 0.8], [0.8, 0.8]])
    found = AGGREGATES[name](lost_one, terms([1.0, 1.0]))  # type: ignore[index]
    assert found[0].tolist() == [0.0] * 4
    lost_both = rewards([[0.8, 0.3], [NAN, NAN], [0.8, 0.3], [0.8, 0.3]])
    lost = AGGREGATES[name](lost_both, terms([1.0, 1.0]))[0]  # type: ignore[index]
    assert lost.isnan().tolist() == [False, True, False, False]
    assert lost[[0, 2, 3]].tolist() == [0.0, 0.0, 0.0]


def test_an_objective_that_a_group_lacks_is_no_part_of_it() -> None:
    """The group's advantages are those without the objective, not half of them."""
    alone = normalize_then_sum(rewards([[0.0], [1.0], [3.0]]), terms([1.0]))
    beside = normalize_then_sum(rewards([[0.0, NAN], [1.0, NAN], [3.0, NAN]]), terms([1.0, 5.0]))
    assert torch.allclose(alone, beside)


def test_two_answers_are_told_apart_as_trl_and_gdpo_tell_them() -> None:
    """(0, 1) and (0, 2) are one to the sum that is normalised, and two where each is normalised first."""
    pairs = rewards([[0.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]])
    summed, each = (make(pairs, terms([1.0, 1.0])) for make in (sum_then_normalize, normalize_then_sum))
    assert torch.allclose(summed[0], summed[1])
    assert each.abs()[:, 0].tolist() == pytest.approx([0.5 / math.sqrt(2), 1 / math.sqrt(2)])


@settings(deadline=None, max_examples=40)
@given(factor=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_what_is_normalised_first_does_not_know_its_unit(factor: float, shift: float) -> None:
    """One reward times anything, plus anything, gives the same advantages; in a sum it does not."""
    table = rewards([[0.0, 1.0], [0.5, 0.0], [1.0, 0.25]])
    other = table.clone()
    other[:, :, 0] = other[:, :, 0] * factor + shift
    assert torch.allclose(
        normalize_then_sum(table, terms([1.0, 1.0])), normalize_then_sum(other, terms([1.0, 1.0])), atol=1e-6
    )
    if factor > 2:
        assert not torch.allclose(
            sum_then_normalize(table, terms([1.0, 1.0])), sum_then_normalize(other, terms([1.0, 1.0]))
        )


def test_only_the_ratio_of_weights_counts_and_its_sign_is_the_direction() -> None:
    """Twice all weights is the same; more weight moves the mean towards its objective; below 0 is a cost."""
    table = rewards([[0.0, 1.0], [1.0, 0.0]])
    assert torch.allclose(normalize_then_sum(table, terms([1.0, 3.0])), normalize_then_sum(table, terms([2.0, 6.0])))
    assert normalize_then_sum(table, terms([3.0, 1.0]))[0, 1] > 0 > normalize_then_sum(table, terms([1.0, 3.0]))[0, 1]
    assert (
        normalize_then_sum(table, terms([1.0, -1.0]))[0, 1] > normalize_then_sum(table, terms([1.0, 0.0]))[0, 1] * 0.99
    )


def test_a_gap_within_the_noise_does_not_outweigh_one_above_it() -> None:
    """0.01 for the first answer, 0.7 for the second: without a floor they cancel, with one the larger gap decides."""
    table = rewards([[0.51, 0.0], [0.50, 0.7]])
    assert normalize_then_sum(table, terms([1.0, 1.0]))[0].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    floored = normalize_then_sum(table, terms([1.0, 1.0], [0.1, 0.1]))[0]
    assert floored[1] > 0.3
    assert standardised(table[:, :, 0], torch.tensor(0.1).double())[0].tolist() == pytest.approx([0.05, -0.05])


def test_equals_are_worth_nothing_and_never_no_number() -> None:
    """No spread and no floor: zeros."""
    for name in NAMES:
        found = AGGREGATES[name](torch.full((2, 4, 2), 0.3).double(), terms([1.0, 1.0]))  # type: ignore[index]
        assert torch.equal(found, torch.zeros(2, 4, dtype=torch.float64)), name


def test_the_minimum_is_the_worst_objective_and_the_soft_one_is_near_it() -> None:
    """A balanced answer beats one that is excellent at one thing; the sum would not see it."""
    table = rewards([[0.5, 0.5], [3.0, -1.0], [-1.0, 3.5]])
    for make in (minimum, soft_minimum):
        assert int(make(table, terms([1.0, 1.0])).argmax()) == 0
    assert int(sum_then_normalize(table, terms([1.0, 1.0])).argmax()) == 2
    sharp = soft_minimum(table, terms([1.0, 1.0]), sharpness=200.0)
    assert torch.allclose(sharp, minimum(table, terms([1.0, 1.0])), atol=1e-2)
    ignored = minimum(rewards([[0.5, -9.0], [1.0, -8.0], [0.0, 5.0]]), terms([1.0, 0.0]))
    assert int(ignored.argmax()) == 1


def test_lexicographic_is_by_authority_until_it_is_level() -> None:
    """The higher objective decides even against a large gap below; where its gap is noise the lower one does."""
    table = rewards([[9.0, 0.0], [0.0, 1.0], [5.0, 1.004]])
    found = lexicographic(table, terms([1.0, 1.0], 0.05))
    assert found[0].argsort().tolist() == [0, 1, 2]
    assert int(lexicographic(table, terms([1.0, 1.0], 0.001)).argmax()) == 2
    turned = lexicographic(table, terms([1.0, 1.0], 0.05, authority=[1, 0]))
    assert int(turned.argmax()) == 0


def test_a_veto_is_for_what_is_below_the_bar_and_ends_there() -> None:
    """Below, the higher objective comes first, the lower the worse; above, being safer still is worth nothing."""
    table = rewards([[9.0, -3.0], [8.0, -1.5], [0.0, -0.5], [1.0, -0.9], [0.5, 4.0]])
    assert veto(table, terms([1.0, 1.0], 0.05))[0].argsort().tolist() == [0, 1, 2, 4, 3]


def test_safety_first_pays_safety_below_the_bar_and_on_prompts_about_safety() -> None:
    """Llama 2's rule: the unsafe answer is paid by its safety alone, the others by their help."""
    table = rewards([[9.0, -2.0], [1.0, 0.0], [2.0, 5.0]])
    found = safety_first(table, terms([1.0, 1.0], safety=[[False] * 3]))
    assert found[0].argsort().tolist() == [0, 1, 2]
    totals = torch.tensor([[-2.0, 1.0, 2.0]]).double()
    assert torch.allclose(found, standardised(totals, torch.tensor(0.0).double()))
    about = safety_first(table, terms([1.0, 1.0], safety=[[True] * 3]))
    assert torch.allclose(about, standardised(table[:, :, 1], torch.tensor(0.0).double()))


def test_a_constant_added_to_a_reward_changes_nothing() -> None:
    """So a constraint's bound cancels within a group, and has to act on the multiplier (METHODS 6.1)."""
    table = rewards([[0.1, 2.0], [0.7, -1.0], [0.4, 0.5]])
    for make in (normalize_then_sum, sum_then_normalize):
        assert torch.allclose(make(table, terms([1.0, 2.0])), make(table + 5.0, terms([1.0, 2.0])))
