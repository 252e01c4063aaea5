"""A training that is killed goes on from its last checkpoint, and ends to the bit as if it never had been."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from trainings import KINDS, Heard, program, train

from caif.errors import FAILED, CaifError
from caif.store import Artifact
from caif.training.checkpoints import STATE, TENSORS, Checkpoints
from caif.training.tuning import Tuner


def weights(made: Artifact) -> dict[str, torch.Tensor]:
    """Everything that was learnt."""
    files = sorted(made.model.rglob("*.safetensors"))
    return {f"{file.name} {name}": value for file in files for name, value in load_file(file).items()}


QUICK = ("sft", "reward", "rl")
REST = tuple(kind for kind in KINDS if kind not in QUICK)


@pytest.mark.parametrize(
    "kinds", [pytest.param(QUICK, id="quick"), pytest.param(REST, id="rest", marks=pytest.mark.slow)]
)
def test_three_steps_a_kill_and_three_more_are_six(kinds: tuple[str, ...], tiny: Path, tmp_path: Path) -> None:
    """RELIABILITY 41: the same weights to the bit, the same log; steps before the checkpoint are not taken again.

    RL remembers more than weights: multipliers, beta, what the guards saw, and where in its prompts it was.
    """
    home = tmp_path / "killed"
    assert program("kill", tiny, home, *kinds) == {kind: [-9] for kind in kinds}
    for kind in kinds:
        again = Heard()
        resumed = train(kind, tiny, home, again)
        whole = train(kind, tiny, tmp_path / "whole")
        assert sorted(again.losses) == ([3, 4, 5, 6] if kind == "rl-twice" else [4, 5, 6]), kind
        found, wanted = weights(resumed), weights(whole)
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted), kind
        assert resumed.metrics == whole.metrics
        assert resumed.counts == whole.counts
        assert not list((home / "checkpoints").glob(f"{resumed.stage}-{resumed.key[:16]}*"))


def test_a_checkpoint_outlives_a_loss_that_is_no_number(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELIABILITY 37: NaN in step 4 ends the tuning with exit code 1, and what is on disk is step 3."""
    whole = Tuner.compute_loss

    def loss(self: Tuner, *given: Any, **named: Any) -> Any:
        return whole(self, *given, **named) * (torch.nan if self.state.global_step == 3 else 1.0)

    monkeypatch.setattr(Tuner, "compute_loss", loss)
    with pytest.raises(CaifError, match="sft: loss at step 4 is nan") as told:
        train("sft", tiny, tmp_path)
    assert told.value.code == FAILED
    (left,) = (tmp_path / "checkpoints").glob("sft-*/*")
    assert left.name == "checkpoint-3"
    assert all(value.isfinite().all() for value in load_file(left / TENSORS).values())


def test_what_is_half_written_is_no_checkpoint(tmp_path: Path) -> None:
    """Killed while it is written, a checkpoint is passed over, and thrown away by the next."""
    kept = Checkpoints(tmp_path, 0.0, {"lost": 1})
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    for step in (1, 2):
        weight.sum().backward()
        optimizer.step()
        kept.keep(step, [weight], optimizer)
    (kept.at(3)).mkdir()
    (kept.at(3) / TENSORS).write_bytes(b"half")
    other = torch.nn.Parameter(torch.zeros(3))
    fresh, counts = torch.optim.AdamW([other], lr=0.1), dict[str, int]()
    again = Checkpoints(tmp_path, 0.0, counts)
    assert again.take_up([other], fresh) == 2
    assert torch.equal(other, weight)
    assert counts == {"lost": 1}
    assert torch.equal(fresh.state[other]["exp_avg"], optimizer.state[weight]["exp_avg"])
    again.keep(4, [other], fresh)
    assert [folder.name for folder in tmp_path.iterdir()] == ["checkpoint-4"]


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def _garbled(file: Path) -> None:
    file.write_bytes(b"\xff" * file.stat().st_size)


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        (STATE, _cut), (STATE, _garbled), (TENSORS, _cut), (TENSORS, _garbled), (TENSORS, Path.unlink),
        ("optimizer.pt", _cut), ("optimizer.pt", _garbled), ("optimizer.pt", Path.unlink),
    ],
)  # fmt: skip
def test_a_damaged_checkpoint_is_named_with_its_remedy(name: str, harm: Callable[[Path], None], tmp_path: Path) -> None:
    """None of it is taken up in part: transformers would go on with a fresh optimiser where its file is gone."""
    kept = Checkpoints(tmp_path, 0.0, {})
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight])
    kept.at(1).mkdir()
    (kept.at(1) / "optimizer.pt").write_bytes(b"what transformers writes")
    kept.keep(1, [weight], optimizer)
    harm(kept.at(1) / name)
    with pytest.raises(CaifError, match="a checkpoint here is damaged .*; delete the folder"):
        kept.take_up([weight], optimizer)


def test_a_foreign_folder_among_checkpoints_is_named(tmp_path: Path) -> None:
    """Also a checkpoint whose state is no table."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / STATE).write_text("[]")
    with pytest.raises(CaifError, match="a checkpoint here is damaged .*notes"):
        Checkpoints(tmp_path, 0.0, {}).last()
    (tmp_path / "notes").rename(tmp_path / "checkpoint-3")
    with pytest.raises(CaifError, match="a checkpoint here is damaged"):
        Checkpoints(tmp_path, 0.0, {}).last()
