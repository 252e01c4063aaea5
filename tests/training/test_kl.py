"""How far a policy is from where it started: the estimates that RL logs against the exact number (METHODS (b) 8)."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rl_parts import small, vowels
from safetensors.torch import load_file, save_file
from torch import Tensor

from caif.config import ModelSpec
from caif.data import Prompt
from caif.models.encode import prompt_ids
from caif.training import policy
from caif.training.options import rl_options, rloo_options
from caif.training.reinforcing import grpo
from caif.training.rl_ends import columns
from caif.training.rloo import rloo

ANSWERS, TEMPERATURE = 256, 0.7


@pytest.fixture(scope="module")
def lively(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """A tiny model with logits that are worth telling apart."""
    folder = tmp_path_factory.mktemp("lively") / "model"
    shutil.copytree(tiny, folder)
    weights = load_file(tiny / "model.safetensors")
    weights["model.embed_tokens.weight"] *= 8
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return ModelSpec(use=f"hf:{folder}")


def made(way: str, lively: ModelSpec, folder: Path, question: Callable[..., Prompt]) -> Any:
    """A trainer that takes one step with many answers of two tokens to one prompt, its policy already moved."""
    at_once: dict[str, Any] = {"generations": ANSWERS, "prompts_per_step": 1, "at_once": ANSWERS, "steps": 1}
    cfg = small(lively, **at_once, max_tokens=2, temperature=TEMPERATURE)
    model, tokenizer = policy.fresh(lively.use.removeprefix("hf:"), 2, 0)
    given: Any = (model, tokenizer, columns([question(1)], 1), [vowels()])
    if way == "grpo":
        trainer: Any = grpo(*given, options=rl_options(cfg, 5, str(folder)))
    else:
        trainer = rloo(*given, options=rloo_options(cfg, ["score"], 5, str(folder)))
    draw = torch.Generator().manual_seed(1)
    for name, parameter in sorted(trainer.model.named_parameters()):
        if ".default." in name:
            parameter.data += 0.2 * torch.randn(parameter.shape, generator=draw)
    return trainer


@torch.no_grad()
def following(model: Any, prompt: list[int]) -> tuple[Tensor, Tensor]:
    """Return the log-probabilities of the first token [n] at the temperature, and of the second one after each [n, n]."""
    first = model(torch.tensor([prompt])).logits[0, -1].double()
    each = torch.tensor([[*prompt, token] for token in range(len(first))])
    second = torch.cat([model(some).logits[:, -1].double() for some in each.split(64)])
    return (first / TEMPERATURE).log_softmax(-1), (second / TEMPERATURE).log_softmax(-1)


@pytest.mark.parametrize("way", ["grpo", "rloo"])
def test_a_logged_kl_is_the_exact_one_within_its_error(
    way: str, lively: ModelSpec, tmp_path: Path, question: Callable[..., Prompt]
) -> None:
    """Over all answers of two tokens: sampled, scored and compared at one temperature, summed and not averaged over tokens.

    GRPO's k3 has nothing below 0, RLOO's k1 has; both are right on average, within three standard errors. Guards go by it.
    """
    trainer = made(way, lively, tmp_path, question)
    end, asked = trainer.processing_class.eos_token_id, prompt_ids(trainer.processing_class, question(1).chat)
    (now, then), (before, earlier) = (
        following(model, asked) for model in (trainer.model, policy.base(lively.use.removeprefix("hf:"))[0])
    )
    goes_on = (torch.arange(len(now)) != end)[:, None]
    chance = now.exp()[:, None] * torch.where(goes_on, then.exp(), 1 / len(now))  # an end is an answer of one token
    gaps = before - now, torch.where(goes_on, earlier - then, 0.0)
    each = [gap.exp() - gap - 1 if way == "grpo" else -gap for gap in gaps]
    values = each[0][:, None] + each[1]
    exact = float((chance * values).sum())
    by_definition = (now.exp() * (now - before)).sum() + (chance * torch.where(goes_on, then - earlier, 0.0)).sum()
    assert exact == pytest.approx(float(by_definition), rel=1e-6)
    error = math.sqrt(float((chance * (values - exact) ** 2).sum()) / ANSWERS)
    assert exact > 6 * error, "else anything would be within it"
    trainer.train()
    found = next(log["kl_sequence"] for log in trainer.state.log_history if "kl_sequence" in log)
    assert abs(found - exact) < 3 * error
