"""The gold model along RL: asked about every step's answers, paying nothing, and its curve in the metrics."""

from collections.abc import Callable

import pytest
from rl_parts import small

from caif.config import ModelSpec, Reward
from caif.data import Preference, Prompt
from caif.run import Run
from caif.stages.reward import reward
from caif.stages.rl import rl
from caif.store import Artifact
from caif.training.gold import gold_of
from caif.training.reward_model import RewardModel
from caif.training.rl_rewards import Heads
from caif.training.trunk import Trunk

Make = Callable[..., Prompt]


@pytest.fixture
def golden(run: Run, stored: Callable[..., Artifact], question: Make, spec: ModelSpec) -> Artifact:
    """A reward model with a gold beside it."""
    rows = [
        Preference(prompt=question(n), chosen=said, rejected="long " * 9, probability=0.9, objective="brevity")
        for n in range(12)
        for said in ("short", "brief")
    ]
    return run.build(reward, stored("combine", rows), cfg=Reward(model=spec, decay=0.1, gold=0.4))


def test_the_gold_tells_and_pays_nothing(golden: Artifact, question: Make) -> None:
    """Both models' mean score of a batch, in deviations, is logged; the reward is as without a gold; one trunk serves both."""
    model = RewardModel.load(golden.model)
    gold = gold_of(golden.model, model, Trunk.load)
    assert gold is not None
    assert gold.trunk is model.trunk
    chats, answers = [question(n).chat for n in (1, 2)], ["so", "no"]
    talks = [[{"role": "assistant", "content": said}] for said in answers]
    told: dict[str, float] = {}
    paid = Heads(model, gold).of("brevity")(chats, talks, log_metric=told.__setitem__)
    assert paid == Heads(model).of("brevity")(chats, talks)
    for name, one in (("proxy", model), ("gold", gold)):
        scores = one.scores(chats, answers)[:, 0]
        scale = one.scale["brevity"]
        assert told[name] == pytest.approx(float((scores - scale["mean"]).mean()) / scale["std"], abs=1e-5)


def test_every_step_of_rl_has_the_golds_opinion(run: Run, golden: Artifact, spec: ModelSpec, asked: Artifact) -> None:
    """Each step's log has it, the metrics have a point a step, and it is no reward."""
    done = run.build(rl, asked, None, golden, cfg=small(spec, steps=4)).metrics
    assert all({"gold", "proxy", "kl_sequence"} <= step.keys() for step in done["steps"])
    assert list(done["rewards"]) == ["brevity"]
    pushed = done["overoptimisation"]
    assert len(pushed["points"]) == 4
    assert pushed["kl"] == pytest.approx(max(step["kl_sequence"] for step in done["steps"]))
