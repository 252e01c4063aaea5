"""Rewarded soups: adapters of one model averaged as the changes that they make, B A, never as A and B by themselves.

The mean of products is not the product of means. Stacked, w1 B1 A1 + w2 B2 A2 = [w1 B1, w2 B2] [A1; A2] is an adapter
again, exact, of all ranks together (Rame et al. 2306.04488).
"""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from caif.errors import CaifError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
DOWN, UP = ".lora_A.weight", ".lora_B.weight"


def soup(adapters: Sequence[Path], weights: Sequence[float], out: Path) -> None:
    """Write the adapter whose change to each matrix is the weighted sum of the adapters' changes."""
    configs = [json.loads((folder / CONFIG).read_text(encoding="utf-8")) for folder in adapters]
    tensors = [load_file(folder / WEIGHTS) for folder in adapters]
    plain = all(not c.get("use_dora") and not c.get("use_rslora") and not c.get("rank_pattern") for c in configs)
    if (
        len({c["base_model_name_or_path"] for c in configs}) > 1
        or len({frozenset(t) for t in tensors}) > 1
        or not plain
    ):
        raise CaifError("soup: the policies are not plain adapters of the same matrices", "train them by one run file")
    scales = [weight * config["lora_alpha"] / config["r"] for weight, config in zip(weights, configs, strict=True)]
    merged: dict[str, Tensor] = {}
    for name in tensors[0]:
        if name.endswith(DOWN):
            merged[name] = torch.cat([some[name] for some in tensors], 0)
        elif name.endswith(UP):
            parts = [scale * some[name].double() for scale, some in zip(scales, tensors, strict=True)]
            merged[name] = torch.cat(parts, 1).to(tensors[0][name].dtype)
        else:
            raise CaifError(f"soup: {name} is no part of a LoRA adapter", "train the policies with caif's own stages")
    rank = sum(config["r"] for config in configs)
    config = configs[0] | {"r": rank, "lora_alpha": rank}
    save_file({name: tensor.contiguous() for name, tensor in merged.items()}, out / WEIGHTS, metadata={"format": "pt"})
    (out / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
