"""What TRL's trainers are told, and what they have to say against it before a run."""

from pathlib import Path

import pytest

from caif.config import ModelSpec, Rl, RunConfig, Sft
from caif.training.options import check, rl_options, sft_options, share


def config(tmp_path: Path, **sections: object) -> RunConfig:
    """A run file with these sections, as if it had been checked by no one else."""
    made = RunConfig(name="test", constitution=tmp_path / "law.toml", prompts={"use": "none"})  # type: ignore[arg-type]
    return made.model_copy(update=sections)


def test_a_sound_run_file_has_no_complaints(tmp_path: Path, spec: ModelSpec) -> None:
    """The defaults pass."""
    assert check(config(tmp_path, sft=Sft(model=spec), rl=Rl(model=spec))) == []
    assert check(config(tmp_path)) == []


def test_trls_complaints_are_lines_under_their_section(tmp_path: Path, spec: ModelSpec) -> None:
    """What TRL refuses is told before anything is computed, on one line."""
    lone = Rl(model=spec).model_copy(update={"generations": 1})
    found = check(config(tmp_path, rl=lone))
    assert len(found) == 1
    assert found[0].startswith("[rl]: GRPO requires at least 2 generations")
    assert "\n" not in found[0]


@pytest.mark.parametrize(("rows", "limit", "part"), [(8, 4, 4), (12, 8, 6), (15, 8, 5), (7, 4, 1), (4, 64, 4)])
def test_a_batch_is_cut_in_equal_parts(rows: int, limit: int, part: int) -> None:
    """The largest part within the limit that leaves nothing over."""
    assert share(rows, limit) == part


def test_parts_make_up_the_batch(spec: ModelSpec, tmp_path: Path) -> None:
    """However little is in memory at once, a step sees the whole batch, in whole groups."""
    tuning = sft_options(Sft(model=spec, batch=12, at_once=5), 0, str(tmp_path))
    assert tuning["per_device_train_batch_size"] * tuning["gradient_accumulation_steps"] == 12
    reinforcing = rl_options(Rl(model=spec, generations=5, prompts_per_step=3, at_once=4), 0, str(tmp_path))
    assert reinforcing["per_device_train_batch_size"] * reinforcing["gradient_accumulation_steps"] == 15
    assert reinforcing["beta"] > 0
    assert reinforcing["report_to"] == tuning["report_to"] == "none"
