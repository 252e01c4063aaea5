"""A whole run in two processes, as torchrun starts them: the first writes, and the other helps to train."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from whole import run_file

from caif import processes
from caif.errors import CaifError

TRAINED = ("sft", "reward", "rl")
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}


def artifacts(home: Path) -> dict[str, dict[str, Any]]:
    """What each stage says of itself, by its folder."""
    return {file.parent.name: json.loads(file.read_text()) for file in sorted((home / "store").glob("*/artifact.json"))}


LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"],
    "accelerate": ["accelerate.commands.launch", "--config_file", "cluster.yaml"],
}
CLUSTER = """
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_GPU
num_machines: 1
machine_rank: 0
num_processes: 2
mixed_precision: 'no'
main_process_port: 0
"""
"""Where there is no GPU accelerate starts two processes on the processor by this; by MULTI_CPU it starts one."""


def command(launcher: str, file: Path, home: Path) -> list[str]:
    """Return the command line that runs a run file in two processes, or in one without a launcher."""
    given = ["caif", "run", str(file), "reward.rank=2", "reward.epochs=1", "rl.steps=4", "--home", str(home)]
    given.append("exec.checkpoint_every=0")
    return [sys.executable, "-m", *LAUNCHERS.get(launcher, []), *(["-m"] if launcher else []), *given]


def ran(launcher: str, file: Path, home: Path) -> "subprocess.CompletedProcess[str]":
    """Run it to its end."""
    (file.parent / "cluster.yaml").write_text(CLUSTER)
    return subprocess.run(
        command(launcher, file, home), capture_output=True, text=True, timeout=560, check=False, env=ONE_THREAD, cwd=file.parent
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_run_file_runs_in_two_processes(launcher: str, tmp_path: Path) -> None:
    """RELIABILITY 39: one line a stage is said, one artifact made and every answer paid once; a run alone finds it all done."""
    file, home = run_file(tmp_path / "files"), tmp_path / "home"
    two, one = ran(launcher, file, home), ran("", file, home)
    assert [two.returncode, one.returncode] == [0, 0], two.stderr + one.stderr
    stages = artifacts(home)
    for stage in TRAINED:
        assert two.stderr.count(f"{stage}  done in") == 1
        assert sum(facts["stage"] == stage for facts in stages.values()) == 1
    assert "done in" not in one.stderr
    assert not list((home / "store").glob("*.partial"))
    assert len(two.stdout.splitlines()) == len(one.stdout.splitlines())  # the results, once


@pytest.mark.slow
def test_two_processes_that_are_killed_go_on_from_their_checkpoint(tmp_path: Path) -> None:
    """RELIABILITY 38, in two processes: the policy is the same to the bit as without the kill."""
    file, home, again = run_file(tmp_path / "files"), tmp_path / "home", tmp_path / "again"
    done = ran("torchrun", file, home)
    assert done.returncode == 0, done.stderr
    shutil.copytree(home, again, ignore=shutil.ignore_patterns("rl-*", "evaluate-*", "report-*"))
    with subprocess.Popen(
        command("torchrun", file, again), env=ONE_THREAD, cwd=file.parent, start_new_session=True, stderr=subprocess.DEVNULL
    ) as killed:
        ends = time.monotonic() + 300
        while not (halves := list(again.glob("checkpoints/rl-*/**/checkpoint-2/state.json"))) and time.monotonic() < ends:
            time.sleep(0.01)
        os.killpg(killed.pid, signal.SIGKILL)
    for process in psutil.process_iter(["cmdline"]):  # torchrun puts its workers into sessions of their own
        if str(again) in " ".join(process.info["cmdline"] or ()):
            process.kill()
    assert halves
    assert not list((again / "store").glob("rl-*/artifact.json"))
    gone_on = ran("torchrun", file, again)
    assert gone_on.returncode == 0, gone_on.stderr
    weights = [next(where.glob("store/rl-*/model/adapter_model.safetensors")) for where in (home, again)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


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
