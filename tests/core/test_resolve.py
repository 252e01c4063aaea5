"""The same name means the same answers: whatever changes what a folder's model says changes its name."""

import re
from pathlib import Path

import pytest

from caif.config import ModelSpec
from caif.models.resolve import identity
from caif.testing import tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model's folder."""
    return tiny_model(tmp_path_factory.mktemp("tiny"))


def test_a_folder_is_called_by_its_name_beside_the_digest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that who reads a card knows the model; wherever it lies and however it is written."""
    name = identity(ModelSpec(use=f"hf:{folder}"))
    assert re.fullmatch(rf"hf:{re.escape(folder.name)}@[0-9a-f]{{16}}", name)
    monkeypatch.chdir(folder)
    assert name == identity(ModelSpec(use="hf:.")) == identity(ModelSpec(use=f"hf:../{folder.name}/"))


def test_an_edited_chat_template_is_another_model(folder: Path) -> None:
    """It puts other questions to the same weights, whose answers the ledger would else give back."""
    before = identity(ModelSpec(use=f"hf:{folder}"))
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text(encoding="utf-8") + "{# edited #}", encoding="utf-8")
    assert identity(ModelSpec(use=f"hf:{folder}")) != before


def test_weights_that_differ_in_the_middle_alone_are_another_model(tmp_path: Path) -> None:
    """As those of a training that left the first and the last layers as they were."""
    weights = bytearray(8 << 20)
    names = []
    for middle in (b"\0", b"\1"):
        weights[3 << 20 : 5 << 20] = middle * (2 << 20)
        (tmp_path / "model.safetensors").write_bytes(weights)
        names.append(identity(ModelSpec(use=f"hf:{tmp_path}")))
    assert names[0] != names[1]
