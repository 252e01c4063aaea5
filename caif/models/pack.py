"""Faster inference on a CPU: weights in oneDNN's own layout.

torch multiplies float32 matrices with MKL, which decodes a batch of 16 at a third of what oneDNN reaches with packed
weights on the same cores; in bfloat16 oneDNN packs the weights again for every product, of 16 rows and of a thousand
(tests/bench/bench_pack.py prints the ratios). The operator is torch's own but not public, so it is compared with the
ordinary one before anything is replaced, and any disagreement leaves the model as it was.
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

    In float32 an adapter is merged into its layer, which is exact to the last digits; in bfloat16 it is not, so there
    the layer under it is packed. The output matrix stays in bfloat16: it is the embedding too, so its packed form would be a
    second copy of a third of a small model, for a tenth of a decoding step.
    """
    exact = model.dtype == torch.float32
    if _gains(model, (torch.float32, torch.bfloat16)):
        for parent, name, layer in list(_layers(model, adapted=exact)):
            linear = _merged(layer)
            if type(linear) is torch.nn.Linear and (exact or linear is not model.get_output_embeddings()):
                setattr(parent, name, _packed(linear))
                del layer, linear
                trim()  # else the weights replaced so far stay with the allocator, and memory peaks at twice the model
        for tensor in () if exact else model.parameters():
            tensor.data = tensor.data.clone()  # as long as one lies in the file's mapping, all of the file counts as ours


@contextmanager
def packed(model: "PreTrainedModel") -> Iterator[None]:
    """Do the same for a while, and leave layers and adapters as they were: for what a model says during its training."""
    replaced: list[tuple[torch.nn.Module, str, torch.nn.Module]] = []
    try:
        with torch.no_grad():
            for parent, name, layer in list(_layers(model)) if _gains(model, (torch.float32,)) else []:
                linear = _copied(layer)
                if type(linear) is torch.nn.Linear:
                    replaced.append((parent, name, layer))
                    setattr(parent, name, _packed(linear))
        yield
    finally:
        for parent, name, layer in replaced:
            setattr(parent, name, layer)


def _gains(model: "PreTrainedModel", kinds: tuple[torch.dtype, ...]) -> bool:
    return model.device.type == "cpu" and model.dtype in kinds and works(model.dtype)


def _layers(module: torch.nn.Module, *, adapted: bool = True) -> Iterator[tuple[torch.nn.Module, str, torch.nn.Module]]:
    """Yield every linear layer with its parent and name: an adapted one with its adapter, or what lies under that alone."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, child in list(module.named_children()):
        if isinstance(child, BaseTunerLayer) and not adapted:
            yield child, "base_layer", child.get_base_layer()
        elif isinstance(child, (torch.nn.Linear, BaseTunerLayer)):
            yield module, name, child
        else:
            yield from _layers(child, adapted=adapted)


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
