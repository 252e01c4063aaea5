"""Adapted layers as one step of autograd each: they keep their inputs alone for the way back, and no weight has a gradient.

peft's own layers pass over every output six times and keep more than the gradients need; the gated layer keeps three times
as much. The numbers are the same; a layer that is not known to be so keeps peft's code.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from peft.tuners.lora import Linear
from torch import Tensor
from torch.nn.functional import linear

Activation = Callable[[Tensor], Tensor]
_GATES: "WeakKeyDictionary[torch.nn.Module, bool]" = WeakKeyDictionary()


class Adapter(NamedTuple):
    """What an adapted layer computes: x W' + bias + scale x A' B'. A [rank, in] and B [out, rank] are trained."""

    weight: Tensor
    bias: Tensor | None
    a: Tensor
    b: Tensor
    scale: float

    @classmethod
    def of(cls, layer: Linear) -> "Adapter":
        """Return a layer's tensors as they are now."""
        (name,), base = layer.active_adapters, layer.get_base_layer()
        factors: Any = layer.lora_A[name], layer.lora_B[name]
        return cls(base.weight, base.bias, factors[0].weight, factors[1].weight, layer.scaling[name])  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output [rows, out] for an input [rows, in], and x A', which the way back needs too."""
        low = x @ self.a.T.to(x.dtype)
        return linear(x, self.weight, self.bias).addmm_(low, self.b.T.to(x.dtype), alpha=self.scale), low

    def backward(self, x: Tensor, low: Tensor, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of the input, of A and of B, given the output's."""
        of_low = (grad @ self.b.to(grad.dtype)).mul_(self.scale)
        of_x = (grad @ self.weight).addmm_(of_low, self.a.to(grad.dtype))
        return of_x, of_low.T @ x, (grad.T @ low).mul_(self.scale)


class _Adapted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
        y, low = Adapter(weight, bias, a, b, scale).forward(x.flatten(0, -2))
        ctx.scale = scale
        ctx.save_for_backward(x, low, weight, a, b)
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, low, weight, a, b = ctx.saved_tensors
        adapter = Adapter(weight, None, a, b, ctx.scale)
        of_x, of_a, of_b = adapter.backward(x.flatten(0, -2), low, grad.flatten(0, -2))
        return of_x.view_as(x), None, None, of_a, of_b, None


class _Gated(torch.autograd.Function):
    """The adapted layer after act(gate) x up, which is computed again on the way back instead of being kept."""

    @staticmethod
    def forward(
        ctx: Any, gate: Tensor, up: Tensor, act: Activation, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor,
        scale: float,
    ) -> Tensor:  # fmt: skip
        y, low = Adapter(weight, bias, a, b, scale).forward((act(gate) * up).flatten(0, -2))
        ctx.act, ctx.scale = act, scale
        ctx.save_for_backward(gate, up, low, weight, a, b)
        return y.view(*gate.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        gate, up, low, weight, a, b = ctx.saved_tensors
        gate, up = gate.detach().requires_grad_(), up.detach().requires_grad_()
        with torch.enable_grad():
            x = ctx.act(gate) * up
        adapter = Adapter(weight, None, a, b, ctx.scale)
        of_x, of_a, of_b = adapter.backward(x.detach().flatten(0, -2), low, grad.flatten(0, -2))
        of_gate, of_up = torch.autograd.grad(x, (gate, up), of_x.view_as(x))
        return of_gate, of_up, None, None, None, of_a, of_b, None


def fuse(model: torch.nn.Module) -> list[torch.nn.Module]:
    """Let a model's adapted layers, and its gated ones around them, compute as written here if that changes nothing.

    Return those that do now.
    """
    layers: list[Any] = [module for module in model.modules() if _plain(module)]
    gated: list[Any] = [module for module in model.modules() if _adapted_gate(module)]
    for module in layers:
        module.forward = partial(_adapted, module)
    for module in gated:
        module.forward = partial(_gated, module)
    return [*layers, *gated]


@contextmanager
def fused(model: torch.nn.Module) -> Iterator[None]:
    """Fuse for a while: whoever switches adapters off or merges them in between finds peft's own code."""
    changed = fuse(model)
    try:
        yield
    finally:
        for module in changed:
            del module.forward


def _plain(module: Any) -> bool:
    """Whether a layer is an ordinary one with one ordinary adapter in use."""
    if type(module) is not Linear or type(module.get_base_layer()) is not torch.nn.Linear:
        return False
    (name, *more), off = module.active_adapters, module.merged or module.disable_adapters
    plain = type(module.lora_dropout[name]) is torch.nn.Identity and not module.lora_bias[name]
    return plain and not (more or off or name in module.lora_variant)


def _adapted_gate(module: Any) -> bool:
    """Whether a layer is a gated one of three plain layers; what it computes is asked once."""
    if not all(_plain(getattr(module, name, None)) for name in ("gate_proj", "up_proj", "down_proj")):
        return False
    if module not in _GATES:
        _GATES[module] = _gates(module)
    return _GATES[module]


def _gates(module: Any) -> bool:
    """Whether a layer is the gated one that its parts are named for, which a few numbers show."""
    width, given = module.gate_proj.get_base_layer().in_features, torch.Generator().manual_seed(0)
    x = torch.randn(1, 3, width, generator=given).to(module.gate_proj.get_base_layer().weight)
    with torch.no_grad():
        try:
            return torch.allclose(_gated(module, x), module(x), rtol=1e-3, atol=1e-5)
        except (AttributeError, TypeError, RuntimeError):
            return False


def _adapted(layer: Linear, x: Tensor) -> Tensor:
    found: Tensor = _Adapted.apply(x, *Adapter.of(layer))  # type: ignore[no-untyped-call]
    return found


def _gated(module: Any, x: Tensor) -> Tensor:
    gate, up, down = module.gate_proj(x), module.up_proj(x), Adapter.of(module.down_proj)
    found: Tensor = _Gated.apply(gate, up, module.act_fn, *down)  # type: ignore[no-untyped-call]
    return found
