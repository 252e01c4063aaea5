"""Faster inference on a CPU: weights in oneDNN's own layout, and adapters as two small products.

torch multiplies float32 matrices with MKL, which decodes a batch of 16 at a third of what oneDNN reaches with packed
weights on the same cores; in bfloat16 oneDNN packs the weights again for every product (tests/bench/bench_pack.py prints
the ratios). The operator is torch's own but not public, so it is compared with the ordinary one before anything is
replaced, and any disagreement leaves the model as it was.

In float32 an adapter is merged into its layer, which is exact to the last digits. In bfloat16 it would lose its small
numbers in the weights' large ones, so there it stays beside them, in the precision that training multiplies it in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from caif.models.memory import trim

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Packed(torch.nn.Module):
    """A linear layer for inference only, its weight in packed layout."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        self.bias = linear.bias
        self.packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(x.contiguous(), self.packed, self.bias, "none", [], "")


class Adapted(torch.nn.Module):
    """A layer with its adapters beside it, for inference only: y + scale x A' B' for each, A and B in the layer's precision."""

    def __init__(self, base: torch.nn.Module, layer: Any) -> None:
        super().__init__()
        self.base, kind = base, layer.get_base_layer().weight.dtype
        self.low = [
            (layer.lora_A[name].weight.detach().to(kind).T, layer.lora_B[name].weight.detach().to(kind).T, layer.scaling[name])
            for name in layer.active_adapters
            if name in layer.lora_A
        ]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.base(x)
        rows, y = x.flatten(0, -2), found.flatten(0, -2)
        for a, b, scale in self.low:
            y = y.addmm(rows @ a, b, alpha=scale)
        return y.view_as(found)


def works(dtype: torch.dtype) -> bool:
    """Whether the packed product agrees with the ordinary one here."""
    try:
        with torch.inference_mode():
            linear = torch.nn.Linear(64, 48, dtype=dtype)
            x = torch.randn(3, 5, 64, generator=torch.Generator().manual_seed(0)).to(dtype)
            return torch.allclose(Packed(linear)(x), linear(x), rtol=0, atol=1e-5 if dtype == torch.float32 else 0.02)
    except (RuntimeError, AttributeError, NotImplementedError):
        return False


def pack(model: "PreTrainedModel") -> None:
    """Replace every linear layer on a CPU by its packed form; others stay. Only for inference.

    In bfloat16 an output matrix that is the embedding as well stays too: its packed form would be a second copy of a third
    of a small model, for a tenth of a decoding step.
    """
    exact, embedding = model.dtype == torch.float32, model.get_input_embeddings().weight
    if not (_on_cpu(model) and works(model.dtype)):
        return
    for parent, name, layer in _layers(model):
        linear = _merged(layer) if exact else _under(layer)
        if type(linear) is torch.nn.Linear and (exact or linear.weight is not embedding):
            packed = _packed(linear)
            setattr(parent, name, packed if exact or linear is layer else Adapted(packed, layer))
            del layer, linear
            trim()  # else the weights replaced so far stay with the allocator, and memory peaks at twice the model
    for tensor in model.parameters():
        tensor.data = tensor.data.clone()  # as long as one lies in the file's mapping, all of the file counts as ours


@contextmanager
def packed(model: "PreTrainedModel") -> Iterator[None]:
    """Do the same for a while, and leave layers and adapters as they were: for what a model says during its training.

    In bfloat16 only the adapted layers change: packing all weights saves a batch of answers no more than it takes.
    """
    exact = model.dtype == torch.float32
    replaced: list[tuple[torch.nn.Module, str, torch.nn.Module]] = []
    try:
        with torch.no_grad():
            for parent, name, layer in list(_layers(model)) if _on_cpu(model) and (not exact or works(model.dtype)) else []:
                linear = _copied(layer) if exact else _under(layer)
                if type(linear) is torch.nn.Linear and (exact or linear is not layer):
                    replaced.append((parent, name, layer))
                    setattr(parent, name, _packed(linear) if exact else Adapted(linear, layer))
        yield
    finally:
        for parent, name, layer in replaced:
            setattr(parent, name, layer)


def _on_cpu(model: "PreTrainedModel") -> bool:
    return model.device.type == "cpu" and model.dtype in (torch.float32, torch.bfloat16)


def _layers(module: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, str, torch.nn.Module]]:
    """Yield every linear or adapted layer with its parent and name, but not what an adapted layer is made of."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, child in list(module.named_children()):
        if isinstance(child, (torch.nn.Linear, BaseTunerLayer)):
            yield module, name, child
        else:
            yield from _layers(child)


def _packed(linear: torch.nn.Linear) -> Packed:
    packed = Packed(linear)
    packed._forward_pre_hooks = linear._forward_pre_hooks  # noqa: SLF001 - the hooks go with the layer
    return packed


def _under(layer: torch.nn.Module) -> torch.nn.Module:
    """Return the layer under an ordinary adapter in use, any other layer as it is."""
    from peft.tuners.lora import Linear

    if type(layer) is not Linear or layer.disable_adapters or layer.merged or layer.lora_variant or any(layer.lora_bias.values()):
        return layer
    return layer.get_base_layer()


def _merged(layer: torch.nn.Module) -> torch.nn.Module:
    """Return an adapted layer's own linear layer with the adapter merged into it, any other layer as it is."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    if not isinstance(layer, BaseTunerLayer):
        return layer
    layer.merge()
    return layer.get_base_layer()


def _copied(layer: torch.nn.Module) -> torch.nn.Module:
    """Return a linear layer that computes what an adapted one does, any other layer as it is."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    if not isinstance(layer, BaseTunerLayer):
        return layer
    base = layer.get_base_layer()
    if type(base) is not torch.nn.Linear or layer.disable_adapters or layer.merged:
        return layer
    linear = torch.nn.Linear(1, 1, bias=False)
    deltas = [layer.get_delta_weight(name) for name in layer.active_adapters if name in layer.lora_A]
    linear.weight, linear.bias = torch.nn.Parameter(sum(deltas, base.weight)), base.bias
    return linear
