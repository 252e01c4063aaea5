"""Faster float32 inference on processors without bfloat16: weights in oneDNN's own layout.

torch multiplies float32 matrices with MKL, which decodes a batch of 16 at a third of what oneDNN reaches with packed
weights on the same cores (tests/bench/bench_pack.py prints the ratio). The operator is torch's own but not public, so it
is compared with the ordinary one before anything is replaced, and any disagreement leaves the model as it was.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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


def works() -> bool:
    """Whether the packed product agrees with the ordinary one here."""
    try:
        with torch.inference_mode():
            linear = torch.nn.Linear(64, 48)
            x = torch.randn(3, 5, 64, generator=torch.Generator().manual_seed(0))
            return torch.allclose(Packed(linear)(x), linear(x), atol=1e-5)
    except (RuntimeError, AttributeError, NotImplementedError):
        return False


def pack(model: "PreTrainedModel") -> None:
    """Replace every float32 linear layer on a CPU by its packed form, an adapter merged into it; others stay.

    Only for inference, and only in float32: there a merged adapter is exact to the last digits, in bfloat16 it is not.
    """
    if _gains(model):
        for parent, name, layer in _layers(model):
            linear = _merged(layer)
            if type(linear) is torch.nn.Linear:
                setattr(parent, name, _packed(linear))
                trim()  # else the weights replaced so far stay with the allocator, and memory peaks at twice the model


@contextmanager
def packed(model: "PreTrainedModel") -> Iterator[None]:
    """Do the same for a while, and leave layers and adapters as they were: for what a model says during its training."""
    replaced: list[tuple[torch.nn.Module, str, torch.nn.Module]] = []
    try:
        with torch.no_grad():
            for parent, name, layer in list(_layers(model)) if _gains(model) else []:
                linear = _copied(layer)
                if type(linear) is torch.nn.Linear:
                    replaced.append((parent, name, layer))
                    setattr(parent, name, _packed(linear))
        yield
    finally:
        for parent, name, layer in replaced:
            setattr(parent, name, layer)


def _gains(model: "PreTrainedModel") -> bool:
    return model.device.type == "cpu" and model.dtype == torch.float32 and works()


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
