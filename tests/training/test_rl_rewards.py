"""Rewards: named, standardised, scored once a batch, and nothing but numbers or None."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from caif.config import ModelSpec, Reward, Rl
from caif.data import Preference, Prompt
from caif.errors import CaifError
from caif.run import Tell
from caif.training.examples import read_examples
from caif.training.fitting import fit_model
from caif.training.reward_model import RewardModel
from caif.training.rl_rewards import Heads, of_plugin, refuse_unknown
from caif.training.trunk import Trunk


@pytest.fixture(scope="module")
def model(tiny: Path, question: Callable[..., Prompt]) -> RewardModel:
    """A reward model with two heads."""
    rows = [
        Preference(prompt=question(n), chosen="short", rejected="long " * 9, probability=p, objective=name)
        for n in range(8)
        for name, p in (("brevity", 1.0), ("fullness", 0.0))
    ]
    trunk = Trunk.load(str(tiny))
    spec = {"use": f"hf:{tiny}"}
    cfg = Reward.model_validate({"model": spec, "decay": 0.1})
    return fit_model(trunk, read_examples(trunk.tokenizer, rows, 512, 0), cfg, 0, Tell())[0]


def talks(*texts: str) -> list[list[dict[str, str]]]:
    return [[{"role": "assistant", "content": text}] for text in texts]


def test_a_head_is_a_reward_under_its_objectives_name(model: RewardModel, question: Callable[..., Prompt]) -> None:
    """Its value is the stored score, standardised; space around an answer is not part of it."""
    chats = [question(1).chat] * 2
    heads = Heads(model)
    values = heads.of("brevity")(chats, talks("short", " short \n"), step=3)
    assert heads.of("brevity").__name__ == "brevity"
    assert values[0] == pytest.approx(values[1], abs=1e-5)
    raw = float(model.scores(chats[:1], ["short"])[0, 0])
    scale = model.scale["brevity"]
    assert values[0] == pytest.approx((raw - scale["mean"]) / scale["std"], abs=1e-4)


def test_all_heads_share_one_pass_a_batch(model: RewardModel, question: Callable[..., Prompt]) -> None:
    """The second head reads what the first has scored; another batch is scored anew."""
    passes: list[int] = []
    counted = RewardModel(model.trunk, model.objectives, model.weights, model.mean, model.std, model.facts)
    whole = counted.scores
    counted.scores = lambda prompts, answers: (passes.append(len(answers)), whole(prompts, answers))[1]  # type: ignore[method-assign]
    heads = Heads(counted)
    functions = [heads.of(name) for name in counted.objectives]
    for texts in (["one", "two"], ["one", "three"]):
        for function in functions:
            function([question(1).chat] * 2, talks(*texts))
    assert passes == [2, 2]


def test_a_head_that_gives_no_number_is_named_with_its_row(model: RewardModel, question: Callable[..., Prompt]) -> None:
    """A score that is not finite stops the run; it never becomes a reward."""
    broken = RewardModel(model.trunk, model.objectives, model.weights.clone(), model.mean, model.std, model.facts)
    broken.weights[0, 0, 1] = torch.nan
    with pytest.raises(CaifError, match="reward fullness: row 0 is nan"):
        Heads(broken).of("brevity")([question(1).chat], talks("yes"))


def plugin(values: object) -> Sequence[float | None]:
    function: Any = of_plugin("polite", lambda **_: values)
    assert function.__name__ == "polite"
    return function(prompts=[[], []], completions=talks("a", "b"), completion_ids=[[1], [2]])  # type: ignore[no-any-return]


def test_a_plugins_numbers_pass_and_no_opinion_is_masked() -> None:
    """Numbers of any kind become floats; None stays None, which TRL masks."""
    assert plugin([1, True]) == [1.0, 1.0]
    assert plugin(torch.tensor([0.5, 2.0])) == [0.5, 2.0]
    assert plugin([None, 0.25]) == [None, 0.25]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ([1.0, math.nan], "reward polite: row 1 is nan"),
        ([math.inf, 1.0], "reward polite: row 0 is inf"),
        ([1.0], "reward polite: gave 1 values for 2 rows"),
        (["good", 1.0], "reward polite: row 0 is 'good'"),
        (0.5, "reward polite: gave float"),
        (None, "reward polite: gave NoneType"),
    ],
)
def test_what_is_no_number_is_an_error_that_names_reward_and_row(values: object, complaint: str) -> None:
    """NaN, infinity, a wrong number of values and other things are never a reward."""
    with pytest.raises(CaifError, match=complaint):
        plugin(values)


def test_a_plugin_that_raises_is_named() -> None:
    """The error says which reward failed and why."""

    def bad(**_: object) -> list[float]:
        raise KeyError("tone")

    with pytest.raises(CaifError, match="reward polite: KeyError: 'tone'"):
        of_plugin("polite", bad)(prompts=[[]], completions=talks("a"))


@pytest.mark.parametrize("key", ["weights", "floors", "authority", "bars", "constraints"])
def test_what_is_said_of_no_reward_is_an_error_with_the_nearest_name(spec: ModelSpec, key: str) -> None:
    """Whichever key says it."""
    said = {key: {"brevty": {"at_least": 1.0} if key == "constraints" else 1}}
    cfg = Rl.model_validate({"model": spec.model_dump(), "aggregation": "veto", **said})
    refuse_unknown(["brevty"], cfg)
    with pytest.raises(CaifError, match=rf"rl.{key}: there is no reward 'brevty'; did you mean 'brevity'"):
        refuse_unknown(["brevity"], cfg)
