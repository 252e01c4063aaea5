"""Weights by step, and a beta that is steered."""

import pytest
from pydantic import ValidationError

from caif.sections.rl import Schedule
from caif.training.schedules import LEAST, MOST, next_beta, weight_at

LINEAR = Schedule(linear=((10, 1.0), (20, 3.0)))
TABLE = Schedule(table=((10, 1.0), (20, 3.0)))


@pytest.mark.parametrize(("step", "linear", "table"), [(1, 1, 1), (10, 1, 1), (15, 2, 1), (20, 3, 3), (99, 3, 3)])
def test_a_weight_is_joined_by_lines_or_held_until_the_next_point(step: int, linear: float, table: float) -> None:
    """Before the first and after the last point it is that point's; a number is the same at every step."""
    assert weight_at(LINEAR, step) == linear
    assert weight_at(TABLE, step) == table
    assert weight_at(0.5, step) == 0.5


@pytest.mark.parametrize(
    "fields", [{}, {"linear": [[0, 1]], "table": [[0, 1]]}, {"linear": [[5, 1], [5, 2]]}, {"table": [[5, 1], [4, 2]]}, {"linear": []}]
)  # fmt: skip
def test_a_schedule_is_of_one_kind_and_its_steps_rise(fields: dict[str, object]) -> None:
    """Anything else is refused."""
    with pytest.raises(ValidationError):
        Schedule.model_validate(fields)


def test_beta_rises_over_the_target_and_falls_below_it() -> None:
    """By a tenth at most, and never further from the run file's than its bounds."""
    assert next_beta(0.1, 8.0, 8.0, 0.1) == 0.1
    assert next_beta(0.1, 8.4, 8.0, 0.1) == pytest.approx(0.1025)
    assert next_beta(0.1, 80.0, 8.0, 0.1) == pytest.approx(0.11)
    assert next_beta(0.1, 0.0, 8.0, 0.1) == pytest.approx(0.09)
    beta = 0.1
    for _ in range(200):
        beta = next_beta(beta, 1e9, 8.0, 0.1)
    assert beta == pytest.approx(0.1 * MOST)
    for _ in range(200):
        beta = next_beta(beta, 0.0, 8.0, 0.1)
    assert beta == pytest.approx(0.1 * LEAST)


def test_a_steered_beta_holds_the_target() -> None:
    """Where KL is inversely as beta, as for a Gaussian, it settles there."""
    beta = first = 0.04
    for _ in range(100):
        beta = next_beta(beta, 0.5 / beta, 5.0, first)
    assert 0.5 / beta == pytest.approx(5.0, rel=0.01)
