"""Where the reward model is unsure, a person's word is more useful."""

from collections.abc import Callable

import pytest

from caif.data import Prompt
from caif.review.items import item, undecided, usefulness
from caif.review.unsure import unsure
from caif.store import Artifact
from caif.training.reward_model import RewardModel


def test_the_reward_model_says_what_it_is_unsure_of(rewards: Artifact, question: Callable[..., Prompt]) -> None:
    """By its own scores, of the head that is asked about; an answer that it cannot read whole says nothing."""
    sure = item(question(1), "short", "long " * 9)
    unclear = item(question(1), "short", "shorn")
    endless = item(question(1), "short", "on " * 5000)
    found = {one.id: one for one in unsure(rewards.model, [sure, unclear, endless], "brevity")}
    assert found[unclear.id].signals["reward model unsure"] > found[sure.id].signals["reward model unsure"]
    assert found[endless.id] == endless
    model = RewardModel.load(rewards.model)
    first, second = model.scores([question(1)] * 2, list(sure.answers))[:, 0].tolist()
    wanted = undecided(1 / (1 + 2.718281828459045 ** (second - first)))
    assert found[sure.id].signals["reward model unsure"] == pytest.approx(wanted, abs=1e-5)
    assert unsure(rewards.model, [sure], "no such head") == [found[sure.id]]


def test_only_the_most_useful_pairs_are_put_to_it(
    rewards: Artifact, question: Callable[..., Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading takes time, and it is spent where it may matter."""
    monkeypatch.setattr("caif.review.unsure.LOOKED_AT", 1)
    dull, useful = item(question(1), "a", "b"), item(question(2), "a", "b")._replace(signals={"order flips": 1.0})
    found = unsure(rewards.model, [dull, useful], "brevity")
    assert found[0] == dull
    assert usefulness(found[1]) > 1
