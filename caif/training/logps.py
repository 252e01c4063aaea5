"""Log-probabilities of tokens from hidden states, and what their gradient will be while the logits are still at hand.

Logits are many times larger than all else of a small model's training. A log-probability has one number coming back to
it, so its gradient toward the hidden state is that number times a vector that is known as soon as the logits are. So
they are made once, a few rows at a time in the same memory, and not a second time on the way back.
"""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from caif.models.kernel.attention import attending, hidden
from caif.training.fused import fused
from caif.training.shared_trunk import Bare, is_bare

if TYPE_CHECKING:
    from peft import PeftModel

ROWS = 128
"""How many tokens have their logits in memory at once."""


def answers_logps(
    policy: "PeftModel", ids: Tensor, mask: Tensor, keep: int, temperature: float
) -> tuple[Tensor, Tensor]:
    """Return log-probabilities and entropies [rows, keep] of each row's last `keep` tokens, 0 where there is none.

    Prompts, padded on the left in `ids` [rows, tokens], are computed once for all rows that begin with them.
    """
    inner: Any = policy.get_base_model()
    real = mask[:, -keep:].bool()
    sequences = [row[seen.bool()].tolist() for row, seen in zip(ids, mask, strict=True)]
    with attending(inner), fused(inner) if torch.is_grad_enabled() else nullcontext():
        bare = not torch.is_grad_enabled() and is_bare(policy)
        states, paths = Bare(policy).states(sequences) if bare else hidden(inner, sequences)
        before = [path[len(path) - n - 1 : -1] for path, n in zip(paths, real.sum(-1).tolist(), strict=True)]
        head = inner.get_output_embeddings()
        # Picking makes the rows contiguous: a strided slice is many times slower in bfloat16 on a CPU.
        places = torch.tensor([place for some in before for place in some], dtype=torch.long, device=states.device)
        logps, entropies = logps_of(states[places], head.weight, head.bias, ids[:, -keep:][real], temperature)
    empty = torch.zeros(real.shape, dtype=logps.dtype, device=logps.device)
    return empty.masked_scatter(real, logps), empty.masked_scatter(real, entropies)


def logps_of(
    states: Tensor, weight: Tensor, bias: Tensor | None, tokens: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Return float32 log-probabilities of tokens [n] and entropies in nats [n], from hidden states [n, size].

    `weight` [vocabulary, size] and `bias` are the output matrix, which is not trained; entropies carry no gradient.
    """
    return _Logps.apply(states, weight, bias, tokens, temperature)  # type: ignore[no-any-return, no-untyped-call]


class _Logps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, tokens: Tensor, temperature: float
    ) -> tuple[Tensor, Tensor]:
        kind = (
            torch.get_autocast_dtype(states.device.type)
            if torch.is_autocast_enabled(states.device.type)
            else states.dtype
        )
        logps, entropies = (states.new_empty(len(states), dtype=torch.float32) for _ in range(2))
        toward = torch.empty_like(states) if ctx.needs_input_grad[0] else None
        weight = weight.to(kind)
        room = [states.new_empty(min(ROWS, len(states)), len(weight), dtype=torch.float32) for _ in range(2)]
        for start in range(0, len(states), ROWS):
            own = slice(start, start + ROWS)
            said = tokens[own, None]
            logits, logs = (buffer[: len(said)] for buffer in room)
            _product(states[own].to(kind), weight, logits)
            if bias is not None:
                logits.add_(bias)
            if temperature != 1:
                logits.div_(temperature)
            torch.log_softmax(logits, -1, out=logs)
            chances = torch.exp(logs, out=logits)
            logps[own] = logs.gather(1, said)[:, 0]
            entropies[own] = -torch.mul(chances, logs, out=logs).sum(-1)  # a fifth of what products of rows with rows take
            if toward is not None:
                toward[own] = (weight[said[:, 0]] - chances.to(kind) @ weight) / temperature
        ctx.save_for_backward(toward)
        ctx.mark_non_differentiable(entropies)
        return logps, entropies

    @staticmethod
    def backward(ctx: Any, back: Tensor, _: Any) -> tuple[Tensor, None, None, None, None]:
        (toward,) = ctx.saved_tensors
        return toward * back[:, None].to(toward.dtype), None, None, None, None


def _product(states: Tensor, weight: Tensor, out: Tensor) -> None:
    """Put the logits into float32 memory, without memory of their own where they are float32 already."""
    if states.dtype == out.dtype:
        torch.mm(states, weight.T, out=out)
    else:
        out.copy_(states @ weight.T)
