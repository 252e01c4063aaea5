"""A whole run in two processes, as torchrun starts them: the first writes, and the other helps to train."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from whole import run_file

from caif import processes
from caif.errors import CaifError

TRAINED = ("sft", "reward", "rl")


def artifacts(home: Path) -> dict[str, dict[str, Any]]:
    """What each stage says of itself, by its folder."""
    return {file.parent.name: json.loads(file.read_text()) for file in sorted((home / "store").glob("*/artifact.json"))}


@pytest.mark.slow
def test_a_run_file_runs_in_two_processes(tmp_path: Path) -> None:
    """RELIABILITY 39: one line a stage is said, one artifact made and every answer paid once; a run alone finds it all done."""
    file, home = run_file(tmp_path / "files"), tmp_path / "home"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
    given = ["caif", "run", str(file), "reward.rank=2", "reward.epochs=1", "--home", str(home)]
    ran = [
        subprocess.run(
            [*how, *given],
            capture_output=True,
            text=True,
            timeout=560,
            check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        for how in (torchrun, [sys.executable, "-m"])
    ]
    assert [done.returncode for done in ran] == [0, 0], ran[0].stderr + ran[1].stderr
    stages = artifacts(home)
    for stage in TRAINED:
        assert ran[0].stderr.count(f"{stage}  done in") == 1
        assert sum(facts["stage"] == stage for facts in stages.values()) == 1
    assert "done in" not in ran[1].stderr
    assert not list((home / "store").glob("*.partial"))
    assert len(ran[0].stdout.splitlines()) == len(ran[1].stdout.splitlines())  # the results, once


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's batch is made larger or smaller in silence."""
    assert processes.part(3, "sft.batch") == 3
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert processes.part(4, "sft.batch") == 2
    with pytest.raises(CaifError, match="sft.batch 3 cannot be shared by 2 processes; make it a multiple of 2"):
        processes.part(3, "sft.batch")


@pytest.mark.parametrize("told", [{"RANK": "1"}, {"RANK": "one"}, {"RANK": "2", "WORLD_SIZE": "2"}, {"WORLD_SIZE": ""}, {"WORLD_SIZE": "2"},
                                  {"WORLD_SIZE": "2", "RANK": "0"}])  # fmt: skip
def test_a_place_that_no_launcher_gives_is_refused(told: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that took itself for one of several would wait for ever for a first that nobody started."""
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CaifError, match="torchrun or accelerate launch"):
        processes.place()
