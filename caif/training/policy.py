"""The model that is trained: a base from a folder with a LoRA adapter over it, and how the adapter is kept."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import set_seed

from caif.errors import CaifError
from caif.models.kernel.head import refuse_foreign
from caif.models.local import load

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ADAPTER = "adapter_config.json"


def base(folder: str) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Load the model that an adapter goes over, and its tokenizer."""
    if (Path(folder) / ADAPTER).is_file():
        raise CaifError(f"{folder} is an adapter, not a model to put one over", "name the model it was made for")
    model, tokenizer = load(_absolute(folder))
    refuse_foreign(model, folder)  # what is trained is sampled from
    _without_dropout(model)
    return model, tokenizer


def _without_dropout(model: "PreTrainedModel") -> None:
    """Have a model in training say what it says when it is used: RL's ratios and checkpoints that go on alike need that.

    Layers that drop can be turned off, as TRL does; attention has a number of its own for it.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.0


def _absolute(folder: str) -> str:
    """Return a folder's full path, which is what an adapter remembers; a name that is no folder stays as it is."""
    return str(Path(folder).resolve()) if Path(folder).is_dir() else folder


def lora(rank: int, task: str = "CAUSAL_LM") -> LoraConfig:
    """Return an adapter over all linear layers but the output matrix."""
    return LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0, bias="none", target_modules="all-linear", task_type=task
    )


def fresh(folder: str, rank: int, seed: int) -> "tuple[PeftModel, PreTrainedTokenizerBase]":
    """Load a model with a new adapter, which changes nothing until it is trained."""
    model, tokenizer = base(folder)
    set_seed(seed % 2**31)  # an adapter begins at random
    return get_peft_model(model, lora(rank)), tokenizer


def tuned(folder: str, adapter: Path, section: str) -> "tuple[PeftModel, PreTrainedTokenizerBase]":
    """Load a model with the adapter that an earlier stage made for it, ready to be trained further."""
    made_for = json.loads((adapter / ADAPTER).read_text(encoding="utf-8"))["base_model_name_or_path"]
    if made_for != _absolute(folder):
        raise CaifError(f"[{section}] trains {folder}, but [sft] tuned {made_for}", "name the same model in both")
    model, tokenizer = base(folder)
    return PeftModel.from_pretrained(model, adapter, is_trainable=True), tokenizer


def started(
    folder: str, adapter: Path | None, rank: int, seed: int, section: str = "rl"
) -> "tuple[PeftModel, PreTrainedTokenizerBase]":
    """Load a model to train: with the adapter that an earlier stage made for it, or with a new one."""
    return tuned(folder, adapter, section) if adapter else fresh(folder, rank, seed)


def learnt(model: Any) -> "dict[str, Tensor]":
    """Return what is trained of a model, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def save(
    model: Any, folder: Path, tokenizer: "PreTrainedTokenizerBase | None" = None, adapter: str = "default"
) -> None:
    """Save an adapter, and the tokenizer beside it, so that the folder loads like a model; another than the first in a
    folder of its name.
    """
    model.save_pretrained(folder, selected_adapters=[adapter], save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    file = (folder if adapter == "default" else folder / adapter) / ADAPTER
    config = json.loads(file.read_text(encoding="utf-8"))
    config["target_modules"] = sorted(config["target_modules"])  # a set: its order differs from process to process
    file.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
