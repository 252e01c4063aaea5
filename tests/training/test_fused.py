"""Adapted layers that keep less: the numbers and gradients are peft's own, and a layer of another kind stays as it is."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor

from caif.training.encoding import Encoded
from caif.training.fused import fuse
from caif.training.trunk import Trunk

ROWS = [Encoded([1, 2, 3, 4, 5, 6], 2), Encoded([1, 2, 3, 4, 9, 8, 7], 3), Encoded([5, 6], 1), Encoded([1, 2, 3], 2)]


def adapted(folder: Path, **options: object) -> PeftModel:
    """Return the tiny model's trunk with an adapter that does something."""
    torch.manual_seed(0)
    settings = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "FEATURE_EXTRACTION"} | options
    model = get_peft_model(Trunk.load(str(folder)).model, LoraConfig(**settings)).eval()  # type: ignore[arg-type]
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return model  # type: ignore[return-value]


def learnt(model: PeftModel, features: Callable[[], Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Return features and what the adapter's tensors learn from them."""
    found = features()
    (found * torch.linspace(-1, 1, found.shape[1])).sum().backward()
    return found.detach(), [p.grad for p in model.parameters() if p.grad is not None]


def by_transformers(model: PeftModel) -> Tensor:
    """Return what `features` says of the rows, from a pass for each by transformers' and peft's own code."""
    states = [model(input_ids=torch.tensor([row.ids])).last_hidden_state[0] for row in ROWS]
    rows = [
        torch.cat([s[-1], s[-row.answer :].mean(0), torch.tensor([row.answer]).log()])
        for s, row in zip(states, ROWS, strict=True)
    ]
    return torch.stack(rows)


def same(ours: tuple[Tensor, list[Tensor]], theirs: tuple[Tensor, list[Tensor]]) -> bool:
    """Whether features and gradients agree to 1e-5 of the largest."""
    pairs = [(ours[0], theirs[0]), *zip(ours[1], theirs[1], strict=True)]
    return all(torch.allclose(a, b, rtol=0, atol=1e-5 * max(1.0, float(b.abs().max()))) for a, b in pairs)


def test_features_and_gradients_are_those_of_a_plain_pass_a_row(tiny: Path) -> None:
    """What rows share is computed once, layers keep less, and nothing is padding: none of it changes a number."""
    plain, lean = adapted(tiny), adapted(tiny)
    fuse(lean)
    trunk = Trunk(lean, None)  # type: ignore[arg-type]
    assert same(learnt(lean, lambda: trunk.features(ROWS)), learnt(plain, lambda: by_transformers(plain)))
    assert all("lora_" in name for name, p in lean.named_parameters() if p.grad is not None)


def test_what_is_kept_for_the_way_back_is_less(tiny: Path) -> None:
    """Of the four wide states of each of the two layers, gate, its activation, up and their product, two remain."""
    held = []
    for change in (lambda model: None, fuse):
        model = adapted(tiny)
        change(model)
        kept: dict[int, int] = {}
        weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

        def keep(tensor: Tensor, kept: dict[int, int] = kept) -> Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            states = model(input_ids=torch.arange(200)[None] % 300).last_hidden_state
        held.append(sum(size for place, size in kept.items() if place not in weights))
        del states
    assert held[0] - held[1] == 2 * 2 * 200 * 64 * 4


@pytest.mark.parametrize("options", [{"lora_dropout": 0.5}, {"use_dora": True}, {"lora_bias": True}])
def test_another_kind_of_adapter_keeps_its_own_code(tiny: Path, options: dict[str, object]) -> None:
    """Dropout, DoRA and biases of the adapter are not what is written here."""
    plain, lean = adapted(tiny, **options), adapted(tiny, **options)
    fuse(lean)
    assert not any("forward" in vars(module) for module in lean.modules())
    assert same(learnt(lean, lambda: by_transformers(lean)), learnt(plain, lambda: by_transformers(plain)))


def test_a_gated_layer_that_does_more_keeps_its_own_code(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts' names alone do not make it gated as expected; its adapted layers are still fused."""
    from transformers.models.qwen2.modeling_qwen2 import Qwen2MLP

    whole = Qwen2MLP.forward
    monkeypatch.setattr(Qwen2MLP, "forward", lambda self, x: whole(self, x) * 2)
    plain, lean = adapted(tiny), adapted(tiny)
    fuse(lean)
    assert same(learnt(lean, lambda: by_transformers(lean)), learnt(plain, lambda: by_transformers(plain)))


def test_in_bfloat16_it_is_as_near_as_pefts_own(tiny: Path) -> None:
    """The adapter is kept in float32 there and multiplied in the model's precision."""
    plain, lean = adapted(tiny), adapted(tiny)
    for model in (plain, lean):
        for name, parameter in model.named_parameters():
            if "lora_" not in name:
                parameter.data = parameter.data.bfloat16()
    fuse(lean)
    ours, theirs = (model(input_ids=torch.tensor([ROWS[1].ids])).last_hidden_state for model in (lean, plain))
    assert ours.dtype == torch.bfloat16
    assert torch.allclose(ours.float(), theirs.float(), atol=0.1)
    ours.float().square().sum().backward()
    assert {p.grad.dtype for p in lean.parameters() if p.grad is not None} == {torch.float32}
