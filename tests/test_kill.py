"""Promises P1 and P2: a run killed at any moment goes on, pays for nothing twice, and ends as if never stopped."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from whole import run_file, timeless

FIRST = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from caif import config, plugins
from caif.recipe import constitutional
from caif.run import Run
file, home = Path(sys.argv[1]), Path(sys.argv[2])
# Everything that calls a model and everything that is made of it; training starts anew anyway.
run = Run(config.read(file, ["report.examples=1"]), home, plugins.load(), file.parent)
with run.locked():
    constitutional(run)
"""


def start(file: Path, home: Path) -> subprocess.Popen[bytes]:
    program = FIRST.format(tests=str(Path(__file__).parent))
    return subprocess.Popen([sys.executable, "-c", program, str(file), str(home)], stderr=subprocess.PIPE)


def calls(home: Path) -> int:
    with sqlite3.connect(home / "ledger.db") as db:
        return int(db.execute("select count(*) from answers").fetchone()[0])


@pytest.mark.parametrize("seed", [1])
def test_a_run_killed_at_random_moments_ends_like_one_that_was_not(tmp_path: Path, seed: int) -> None:
    """kill -9 again and again, then run to the end: same rows but for their times, same number of answers paid for."""
    file = run_file(tmp_path / "files")
    whole = start(file, tmp_path / "whole")
    started = time.monotonic()
    assert whole.wait(600) == 0, whole.stderr.read().decode()  # type: ignore[union-attr]
    length = time.monotonic() - started
    chance = random.Random(seed)
    kills = 0
    for _ in range(4):
        run = start(file, tmp_path / "killed")
        try:
            run.wait(chance.uniform(0.3, 0.9) * length)
        except subprocess.TimeoutExpired:
            os.kill(run.pid, signal.SIGKILL)
            kills += 1
        run.wait()
    last = start(file, tmp_path / "killed")
    assert last.wait(600) == 0, last.stderr.read().decode()  # type: ignore[union-attr]
    assert kills > 0
    assert timeless(tmp_path / "killed") == timeless(tmp_path / "whole")
    assert calls(tmp_path / "killed") == calls(tmp_path / "whole")
