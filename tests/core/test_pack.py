"""Weights in oneDNN's layout: what a model says stays what it said, in both precisions, under an adapter too."""

from pathlib import Path

import pytest
import torch
from peft.tuners.lora import LoraLayer

from caif.errors import CaifError
from caif.models.local import load, precision
from caif.models.pack import Adapted, Packed, pack, packed
from caif.testing import tiny_model
from caif.training import policy

NEAR = {"float32": 1e-5, "bfloat16": 0.1}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model."""
    return tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("kind", NEAR)
def test_a_packed_model_says_what_it_said(kind: str, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the layers' layout changes. In bfloat16 the output matrix, which is the embedding too, stays as it is."""
    monkeypatch.setenv("CAIF_PRECISION", kind)
    model, ids = load(str(tiny))[0], torch.arange(3, 20)[None]
    assert model.dtype == getattr(torch, kind)
    with torch.inference_mode():
        wanted = model(ids).logits
        pack(model)
        assert torch.allclose(model(ids).logits, wanted, rtol=0, atol=NEAR[kind] * float(wanted.abs().max()))
    assert isinstance(model.model.layers[0].mlp.up_proj, Packed)
    assert isinstance(model.get_output_embeddings(), Packed) == (kind == "float32")


@pytest.mark.parametrize("kind", NEAR)
def test_an_adapter_is_merged_where_that_is_exact_and_stays_where_it_is_not(
    kind: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bfloat16 a merged adapter would lose its small numbers in the weights' large ones."""
    monkeypatch.setenv("CAIF_PRECISION", kind)
    model, ids = policy.fresh(str(tiny), 2, 0)[0], torch.arange(3, 20)[None]
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        with model.disable_adapter():
            bare = model(ids).logits
        wanted = model(ids).logits
        pack(model.get_base_model())
        found = model(ids).logits
    near = NEAR[kind] * float(wanted.abs().max())
    assert torch.allclose(found, wanted, rtol=0, atol=near)
    assert not torch.allclose(bare, wanted, rtol=0, atol=near)
    assert not any(isinstance(layer, LoraLayer) for layer in model.modules())
    assert any(isinstance(layer, Adapted) for layer in model.modules()) == (kind == "bfloat16")
    assert any(isinstance(layer, Packed) for layer in model.modules())


def test_for_a_while_in_bfloat16_adapters_stand_beside_their_layers(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said then is what training sees; afterwards every layer is the one it was. Switched off, they say nothing."""
    monkeypatch.setenv("CAIF_PRECISION", "bfloat16")
    model, ids = policy.fresh(str(tiny), 2, 0)[0], torch.arange(3, 20)[None]
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(1))
    layers = dict(model.named_modules())
    with torch.inference_mode():
        wanted = model(ids).logits
        with packed(model.get_base_model()):
            assert any(isinstance(layer, Adapted) for layer in model.modules())
            found = model(ids).logits
        with model.disable_adapter(), packed(model.get_base_model()):
            assert not any(isinstance(layer, Adapted) for layer in model.modules())
    assert torch.allclose(found, wanted, rtol=0, atol=NEAR["bfloat16"] * float(wanted.abs().max()))
    assert dict(model.named_modules()) == layers


def test_a_precision_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the names that there are."""
    monkeypatch.setenv("CAIF_PRECISION", "fp8")
    with pytest.raises(CaifError, match="CAIF_PRECISION=fp8: models are loaded in bfloat16 or float32"):
        precision()
