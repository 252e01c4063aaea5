"""One copy of the base for policy, reference and reward model, and the same scores as from copies."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rl_parts import small

from caif.config import ModelSpec
from caif.data import Prompt
from caif.run import Run
from caif.stages.rl import rl
from caif.store import Artifact
from caif.testing import tiny_model
from caif.training import policy
from caif.training.encoding import encode
from caif.training.logps import answers_logps
from caif.training.reinforcing import Grpo
from caif.training.reward_model import RewardModel
from caif.training.shared_trunk import beside, forget, is_bare

Make = Callable[..., Prompt]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bases that are loaded, one after the other."""
    seen: list[str] = []
    whole = policy.load

    def load(folder: str) -> Any:
        seen.append(folder)
        return whole(folder)

    monkeypatch.setattr(policy, "load", load)
    return seen


@pytest.mark.parametrize("start", [True, False])
def test_rl_holds_one_base_and_no_reference_beside_it(
    run: Run, asked: Artifact, tuned: Artifact, rewards: Artifact, spec: ModelSpec, loaded: list[str],
    monkeypatch: pytest.MonkeyPatch, start: bool,
) -> None:  # fmt: skip
    """Policy, reference (the same base under the adapter it started with) and the reward model's trunk are one model."""
    trainers: list[Grpo] = []
    monkeypatch.setattr(Grpo, "train", lambda self, **_: trainers.append(self))
    loaded.clear()
    run.build(rl, asked, tuned if start else None, rewards, cfg=small(spec))
    assert len(loaded) == 1
    assert trainers[0].ref_model is None
    assert set(trainers[0].model.peft_config) == {"default", "ref"}


def test_a_shared_trunk_scores_as_one_of_its_own(rewards: Artifact, tiny: Path, question: Make) -> None:
    """Whatever the adapter has become, while it is trained, and without leaving a trace on it."""
    model, tokenizer = policy.fresh(str(tiny), 4, 0)
    apart, shared = (
        RewardModel.load(rewards.model),
        RewardModel.load(rewards.model, beside(model, tokenizer, str(tiny))),
    )
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(1))
    model.train()
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    chats, answers = [question(n).chat for n in range(3)], ["yes", "no, not at all", "it depends"]
    assert torch.allclose(shared.scores(chats, answers), apart.scores(chats, answers), atol=1e-5)
    assert model.training
    assert [name for name, parameter in model.named_parameters() if parameter.requires_grad] == trained
    own = {parameter.data_ptr() for parameter in model.parameters()}
    assert all(parameter.data_ptr() in own for parameter in shared.trunk.model.policy.get_base_model().parameters())  # type: ignore[union-attr]


def test_what_the_base_made_for_the_reference_is_not_computed_again(
    rewards: Artifact, tiny: Path, question: Make
) -> None:
    """Answers scored after their log-probabilities cost a token each; the scores are those of a trunk of its own."""
    model, tokenizer = policy.fresh(str(tiny), 4, 0)
    apart, shared = (
        RewardModel.load(rewards.model),
        RewardModel.load(rewards.model, beside(model, tokenizer, str(tiny))),
    )
    chats, answers = [question(n).chat for n in (0, 0, 1, 1)], ["yes", "no, not at all", "it depends", "yes"]
    encoded = [encode(tokenizer, chat, answer) for chat, answer in zip(chats, answers, strict=True)]
    width = max(len(row.ids) for row in encoded)
    ids = torch.tensor([[0] * (width - len(row.ids)) + row.ids for row in encoded])
    read: list[int] = []
    model.get_base_model().get_input_embeddings().register_forward_hook(
        lambda _, given, out: read.append(given[0].numel())
    )
    with torch.no_grad():  # the adapter is new and changes nothing yet
        answers_logps(model, ids, (ids > 0).long(), min(row.answer for row in encoded), 1.0)
    read.clear()
    scores = shared.scores(chats, answers)
    assert sum(read) == len(answers)
    assert torch.allclose(scores, apart.scores(chats, answers), atol=1e-5)
    forget(model)
    read.clear()
    assert torch.allclose(shared.scores(chats, answers), scores, atol=1e-5)
    assert sum(read) > len(answers)


def test_a_policy_is_bare_until_its_adapter_changes_something(tiny: Path) -> None:
    """New, it computes as its base; one matrix that is not 0 is enough; switched off, it is bare again."""
    model, _ = policy.fresh(str(tiny), 4, 0)
    assert is_bare(model)
    last = [parameter for name, parameter in model.named_parameters() if "lora_B" in name][-1]
    torch.nn.init.normal_(last)
    assert not is_bare(model)
    with model.disable_adapter():
        assert is_bare(model)


def test_another_base_has_a_trunk_of_its_own(rewards: Artifact, tiny: Path, tmp_path: Path, loaded: list[str]) -> None:
    """Only the same folder is the same model."""
    model, tokenizer = policy.fresh(str(tiny_model(tmp_path / "other", seed=1)), 4, 0)
    loaded.clear()
    RewardModel.load(rewards.model, beside(model, tokenizer, str(tmp_path / "other")))
    assert loaded == [str(tiny)]
