"""What `caif plan` says is a bound: no source asks more than its estimate."""

from functools import partial

import pytest
from fakes import LAW

from caif.config import ModelSpec
from caif.constitution import Check
from caif.data import Comparison, Prompt
from caif.hookspecs import Answer, Model, Question
from caif.judge import METHODS, Bench, judge_all
from caif.judge.selftest import selftest
from caif.loads import Sizes, _compared

SIZES = Sizes(train=1, heldout=0, prompt=5.0, principle=5.0, sampled=2, samples=2, answer=9.0)
ONE_CHECK = LAW.principles[0].model_copy(update={"checks": (Check(text="Is it true?"),)})


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("votes", "reasoned")])
def test_the_test_of_a_judge_is_within_the_bound(method: str) -> None:
    """Though its own principle has more checks than any of the constitution's."""
    asked = []

    def score(model: Model, questions: list[Question]) -> list[Answer]:
        del model
        asked.extend(questions)
        return [Answer("", "stop", (-1.0,) * len(q.choices)) for q in questions]

    bench = Bench(Model("local", None), lambda *_: [], score, method)  # type: ignore[arg-type]
    law = LAW.model_copy(update={"principles": (ONE_CHECK,)})
    selftest(partial(judge_all, bench), law, 0)
    judge_all(bench, [(Comparison(prompt=Prompt.of("What is rain?"), a="Water.", b="Dust."), ONE_CHECK)])
    options = {"method": method, "selftest": "stop", "votes": None}
    bound = sum(load.calls for load in _compared(1, options, [ModelSpec(use="fake:it")], SIZES, law, 0))
    assert len(asked) <= bound
