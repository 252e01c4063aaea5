"""Log-probabilities made a few rows at a time, with the gradient that is known beforehand, against the plain ones."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from caif.training import logps
from caif.training.logps import logps_of


@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(1, 9), seed=st.integers(0, 99), temperature=st.sampled_from([0.5, 1.0, 2.0]), biased=st.booleans()
)
def test_values_and_gradients_are_those_of_a_log_softmax(
    rows: int, seed: int, temperature: float, biased: bool
) -> None:
    """To 1e-5, whatever the number of rows beside how many are in memory at once, and with upstream gradients of all sizes."""
    draw = torch.Generator().manual_seed(seed)
    states = torch.randn(rows, 6, generator=draw)
    weight, bias = torch.randn(11, 6, generator=draw), torch.randn(11, generator=draw) if biased else None
    tokens, back = torch.randint(11, (rows,), generator=draw), torch.randn(rows, generator=draw)
    plain, ours = (states.clone().requires_grad_() for _ in range(2))
    scaled = torch.nn.functional.linear(plain, weight, bias).div(temperature).log_softmax(-1)
    wanted = scaled.gather(1, tokens[:, None])[:, 0]
    (wanted * back).sum().backward()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logps, "ROWS", 4)
        found, entropies = logps_of(ours, weight, bias, tokens, temperature)
    (found * back).sum().backward()
    assert torch.allclose(found, wanted, atol=1e-5)
    assert torch.allclose(entropies, -(scaled.exp() * scaled).sum(-1), atol=1e-5)
    assert ours.grad is not None
    assert plain.grad is not None
    assert torch.allclose(ours.grad, plain.grad, atol=1e-5)
    assert not entropies.requires_grad


def test_in_bfloat16_they_are_as_near_as_bfloat16_is() -> None:
    """Logits are summed in float32; only the products are rounded."""
    draw = torch.Generator().manual_seed(0)
    states, weight, tokens = (
        torch.randn(5, 64, generator=draw),
        torch.randn(300, 64, generator=draw) / 8,
        torch.arange(5),
    )
    wanted = (states @ weight.T).log_softmax(-1)[torch.arange(5), tokens]
    found, _ = logps_of(states.bfloat16().requires_grad_(), weight.bfloat16(), None, tokens, 1.0)
    assert found.dtype == torch.float32
    assert torch.allclose(found, wanted, atol=0.05)
    found.sum().backward()
