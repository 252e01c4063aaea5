"""Faster float32 inference on processors without bfloat16: weights in oneDNN's own layout.

torch multiplies float32 matrices with MKL, which decodes a batch of 16 at a third of what oneDNN reaches with packed
weights on the same cores (tests/bench/bench_pack.py prints the ratio). The operator is torch's own but not public, so it
is compared with the ordinary one before anything is replaced, and any disagreement leaves the model as it was.
"""

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
    if model.device.type != "cpu" or model.dtype != torch.float32 or not works():
        return
    _pack_below(model)


def _pack_below(parent: torch.nn.Module) -> None:
    found = False
    for name, child in list(parent.named_children()):
        linear = _merged(child)
        if type(linear) is torch.nn.Linear:
            packed, found = Packed(linear), True
            packed._forward_pre_hooks = linear._forward_pre_hooks  # noqa: SLF001 - the hooks go with the layer
            setattr(parent, name, packed)
        else:
            _pack_below(child)
    if found:
        trim()  # as their packed form comes the weights go, so that they are never there twice


def _merged(layer: torch.nn.Module) -> torch.nn.Module:
    """Return an adapted layer's own linear layer with the adapter merged into it, any other layer as it is."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    if not isinstance(layer, BaseTunerLayer):
        return layer
    layer.merge()
    return layer.get_base_layer()
