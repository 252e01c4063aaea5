"""Rewarded soups: the change to each matrix is the weighted sum of the adapters' changes, and the whole recipe."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from caif.errors import CaifError
from caif.models.local import load
from caif.run import Run
from caif.training import policy
from caif.training.soup import soup

Done = Callable[..., Run]


def adapter(tiny: Path, folder: Path, seed: int, rank: int) -> dict[str, torch.Tensor]:
    """Save an adapter of random matrices; return what it changes, multiplied out."""
    model, tokenizer = policy.fresh(str(tiny), rank, seed)
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn_like(parameter) / 4
    policy.save(model, folder, tokenizer)
    return {
        name: 2.0 * module.lora_B["default"].weight.data @ module.lora_A["default"].weight.data
        for name, module in model.named_modules()
        if hasattr(module, "lora_A")
    }


def test_what_is_averaged_is_the_change_of_every_matrix(tiny: Path, tmp_path: Path) -> None:
    """Of two adapters of different rank, against explicit matrices in the merged model; A and B averaged would not do."""
    changes = [adapter(tiny, tmp_path / str(n), n, rank) for n, rank in ((1, 2), (2, 3))]
    (tmp_path / "out").mkdir()
    soup([tmp_path / "1", tmp_path / "2"], [0.3, 0.7], tmp_path / "out")
    base, _ = load(str(tiny))
    before = {name: value.clone() for name, value in base.state_dict().items()}
    merged = PeftModel.from_pretrained(base, tmp_path / "out").merge_and_unload()
    found = merged.state_dict()
    assert changes[0]
    for name in changes[0]:
        matrix = name.removeprefix("base_model.model.") + ".weight"
        wanted = before[matrix] + 0.3 * changes[0][name] + 0.7 * changes[1][name]
        torch.testing.assert_close(found[matrix], wanted, atol=1e-4, rtol=1e-4)


def test_adapters_of_different_models_are_refused(tiny: Path, tmp_path: Path) -> None:
    """Their sum would mean nothing."""
    adapter(tiny, tmp_path / "1", 1, 2)
    adapter(tiny, tmp_path / "2", 2, 2)
    config = tmp_path / "2" / "adapter_config.json"
    config.write_text(config.read_text().replace(str(tiny), "elsewhere"))
    with pytest.raises(CaifError, match="not plain adapters of the same matrices"):
        soup([tmp_path / "1", tmp_path / "2"], [0.5, 0.5], tmp_path)


SECTIONS = """
[reward]
model = "tiny"
decay = 0.1
[rl]
model = "tiny"
steps = 1
prompts_per_step = 1
generations = 2
max_tokens = 4
truncated = "keep"
rank = 2
learning_rate = 0.01
[soup]
weights = { clarity = 1.0, brevity = 3.0 }
"""


def test_the_recipe_runs_end_to_end(done: Done) -> None:
    """A policy each, paid for one reward, and their average, which loads like a model."""
    run = done("soup", sections=SECTIONS)
    made = {artifact.stage: artifact for artifact in run.built}
    assert made["rl-clarity"].metrics["rewards"] == {"clarity": 1.0, "brevity": 0.0}
    assert made["rl-brevity"].metrics["rewards"] == {"clarity": 0.0, "brevity": 1.0}
    assert made["soup"].metrics["shares"] == {"clarity": 0.25, "brevity": 0.75}
    load(str(made["soup"].model))
    assert "policy" in made["evaluate"].metrics["measures"]["words"]
