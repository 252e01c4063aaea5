"""GRPO: TRL's algebra untouched, only less work for it; a reference that stays; steps that are told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft.tuners.lora import LoraLayer
from rl_parts import small, vowels
from trl import GRPOConfig, GRPOTrainer

from caif.config import ModelSpec
from caif.data import Prompt
from caif.models.pack import Packed, packed
from caif.run import Tell
from caif.training import policy
from caif.training.options import rl_options
from caif.training.reinforcing import Grpo, grpo, reinforce
from caif.training.rl_ends import columns

Make = Callable[..., Prompt]


def trainer(kind: type[GRPOTrainer], tiny: Path, spec: ModelSpec, folder: Path, question: Make, **fields: Any) -> Any:
    """A trainer on a model whose adapter is no longer at its beginning."""
    model, tokenizer = policy.fresh(str(tiny), 2, 0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(1))
    options = rl_options(small(spec, temperature=0.7, **fields), 5, str(folder))
    rows = Dataset.from_dict(columns([question(n) for n in range(4)], 2))
    return kind(
        model, reward_funcs=[vowels()], args=GRPOConfig(**options), train_dataset=rows, processing_class=tokenizer
    )


def test_scoring_answers_alone_is_what_trl_computes(
    tiny: Path, spec: ModelSpec, tmp_path: Path, question: Make
) -> None:
    """Log-probabilities, entropies and gradients equal TRL's to 1e-4, at a temperature, with padding on both sides."""
    grpo = trainer(Grpo, tiny, spec, tmp_path, question)
    draw = torch.Generator().manual_seed(2)
    ids = torch.randint(3, 300, (5, 12), generator=draw)
    mask = torch.ones_like(ids)
    mask[0, :3], mask[1, -4:], mask[2, -7:] = 0, 0, 0
    found = []
    for kind in (Grpo, GRPOTrainer):
        score = kind._get_per_token_logps_and_entropies
        logps, entropies, aux = score(grpo, grpo.model, ids, mask, 7, batch_size=2, compute_entropy=True)
        grpo.model.zero_grad()
        (logps * torch.arange(7)).sum().backward()
        gradients = [p.grad.clone() for p in grpo.model.parameters() if p.grad is not None]
        assert aux is None
        found.append((logps.detach(), entropies.detach(), gradients))
    ours, theirs = found
    assert torch.allclose(ours[0], theirs[0], atol=1e-4)
    assert torch.allclose(ours[1], theirs[1], atol=1e-4)
    assert len(ours[2]) == len(theirs[2]) > 0
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(ours[2], theirs[2], strict=True))
    assert (ours[0][1, -4:] == 0).all()


@pytest.mark.parametrize("updates", [1, 2])
def test_a_whole_training_is_trls(tiny: Path, spec: ModelSpec, tmp_path: Path, question: Make, updates: int) -> None:
    """The same seed, rewards, prompts and answers give TRL's losses, gradients, KL and rewards step by step."""

    class Theirs(GRPOTrainer):
        _generate_single_turn = Grpo._generate_single_turn  # noqa: SLF001 - other draws would be other answers
        said = Grpo.said

    logs = []
    for kind in (Grpo, Theirs):
        made = trainer(kind, tiny, spec, tmp_path / kind.__name__, question, steps=3, updates=updates)
        made.train()
        logs.append([entry for entry in made.state.log_history if "loss" in entry])
    for ours, theirs in zip(*logs, strict=True):
        for name in ("loss", "grad_norm", "kl", "entropy", "reward", "rewards/score/mean"):
            assert ours.get(name) == pytest.approx(theirs.get(name), abs=1e-4), name
        assert "kl_sequence" in ours


def test_layers_packed_for_a_while_compute_the_same_and_come_back(tiny: Path) -> None:
    """With the adapter in them; afterwards every layer and every weight is the one it was, free of the merging."""
    model = policy.fresh(str(tiny), 2, 0)[0]
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(1))
    ids = torch.arange(3, 20)[None]
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    layers = dict(model.named_modules())
    with torch.inference_mode():
        wanted = model(ids).logits
        with packed(model.get_base_model()):
            assert any(isinstance(layer, Packed) for layer in model.modules())
            assert not any(isinstance(layer, LoraLayer) for layer in model.modules())
            given = model(ids).logits
    assert torch.allclose(given, wanted, atol=1e-5)
    assert dict(model.named_modules()) == layers
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())


def test_the_reference_stays_where_it_was(tiny: Path, spec: ModelSpec, tmp_path: Path, question: Make) -> None:
    """Training moves the policy's adapter and not its copy."""
    grpo = trainer(Grpo, tiny, spec, tmp_path, question)
    before = {n: p.detach().clone() for n, p in grpo.model.named_parameters()}
    grpo.train()
    moved = {n for n, p in grpo.model.named_parameters() if not torch.equal(p, before[n])}
    assert moved
    assert all(".default." in name for name in moved)


def test_progress_tells_reward_and_kl(tiny: Path, spec: ModelSpec, tmp_path: Path, question: Make) -> None:
    """Each step is passed on with the numbers one watches."""
    heard: list[tuple[int, int, set[str]]] = []

    class Ear(Tell):
        def step(self, label: str, done: int, total: int, **numbers: float) -> None:
            heard.append((done, total, {label, *numbers}))

    model, tokenizer = policy.fresh(str(tiny), 2, 0)
    cfg = small(spec)
    rows = columns([question(n) for n in range(2)], 2)
    made = grpo(model, tokenizer, rows, [vowels()], options=rl_options(cfg, 0, str(tmp_path)))
    reinforce(made, cfg, Ear())
    assert heard == [(n, 2, {"rl", "loss", "reward", "kl"}) for n in (1, 2)]
