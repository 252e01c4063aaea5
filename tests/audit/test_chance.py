"""Who knows nothing is at chance, by every measure and every benchmark's rules (METHODS (b) 10)."""

import math
import random

import pytest

from caif.audit.agreement import Labelled, agreement
from caif.data import Prompt
from caif.rewardbench.cases import MANY, ONE, Case
from caif.rewardbench.rules import Judged, results

N = 600


def test_a_judge_that_guesses_agrees_by_chance_and_no_better() -> None:
    """The intervals of accuracy, kappa and alpha hold one half, nothing and nothing."""
    draw = random.Random(2)
    rows = [Labelled(f"prompt {n}", draw.randrange(2), (draw.randrange(2),)) for n in range(N)]
    found = agreement(rows, draws=400, seed=0)
    for measure, chance in (("accuracy", 0.5), ("kappa", 0.0), ("alpha", 0.0)):
        assert found[measure]["low"] < chance < found[measure]["high"], measure


@pytest.mark.parametrize(
    ("version", "answers", "subsets"), [(ONE, 2, ["hep-go", "donotanswer"]), (MANY, 4, ["Factuality"])]
)
def test_a_reward_model_that_guesses_gets_what_guessing_gets(version: int, answers: int, subsets: list[str]) -> None:
    """Though the right answer always stands first in the files: one half of two answers, a quarter of four."""
    draw, chance = random.Random(3), 1 / answers
    judged = [
        Judged(
            Case(str(n), Prompt.of("x"), ("a",) * answers, 1, subset, version),
            tuple(draw.random() for _ in range(answers)),
        )
        for subset in subsets
        for n in range(N)
    ]
    score = results(judged)["score"]
    assert abs(score - chance) < 3 * math.sqrt(chance * (1 - chance) / len(judged))
