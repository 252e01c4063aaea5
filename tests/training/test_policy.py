"""The model that is trained, as it is loaded."""

import json
from pathlib import Path

import torch

from caif.models.local import load
from caif.testing import tiny_model
from caif.training.policy import base


def test_what_is_trained_drops_nothing(tmp_path: Path) -> None:
    """A model whose attention drops says the same in training as in use: else RL's ratios would be noise."""
    folder = tiny_model(tmp_path / "drops")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"attention_dropout": 0.5}))
    ids = torch.arange(5, 25)[None]
    dropping = load(str(folder))[0].train()
    assert not torch.equal(dropping(ids).logits, dropping(ids).logits)
    steady = base(str(folder))[0].train()
    assert torch.equal(steady(ids).logits, steady(ids).logits)
