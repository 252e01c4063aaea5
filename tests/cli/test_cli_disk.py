"""A full disk stops the run with one line and exit code 3; when there is space again it goes on where it was."""

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LIMITED = (
    "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2);"
    "from caif.cli import main; main(sys.argv[2:])"
)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes, or a skip where nothing may be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("mounting a small tmpfs needs to be root with the right to mount")
    yield folder
    gc.collect()  # a failed writer keeps its file open as long as its traceback lives
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("left", [0, 24_000, 48_000, 72_000])
def test_a_full_disk_stops_the_run_and_space_lets_it_go_on(
    place, small: Path, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing corrupt is left: the same command ends well after space is freed."""
    monkeypatch.setattr("caif.check.SPARE", 0)  # the check before the run would already say so
    arguments = ("run", "run.toml", "--home", str(small / "home"), "--until", "feedback")
    ballast = small / "ballast"
    ballast.write_bytes(b"x" * (shutil.disk_usage(small).free - left))
    full = place.caif(*arguments)
    assert full.exit_code == 3, full.output
    assert "Traceback" not in full.stderr
    assert len([line for line in full.stderr.splitlines() if line.startswith("caif: ")]) == 1
    ballast.unlink()
    assert place.caif(*arguments).exit_code == 0


def test_too_little_space_is_found_before_the_run(place, small: Path) -> None:
    """`check` says how much there is and how much is wanted."""
    result = place.caif("check", "run.toml", "--home", str(small / "home"))
    assert result.exit_code == 2
    assert "0.0 GB free, 0.2 GB wanted" in result.stdout


@pytest.mark.parametrize("limit", [20_000, 60_000])
def test_a_write_that_fails_is_one_line_and_can_go_on(place, limit: int) -> None:
    """A limit on the size of files fails real writes, of SQLite and of Parquet, without any rights."""
    home = place.folder / "home"
    place.change('model = "echo"\n[sample]', 'model = "echo"\nsamples = 12\n[sample]')
    command = [sys.executable, "-c", LIMITED, str(limit), "run", "run.toml", "--home", str(home), "--until", "feedback"]
    failed = subprocess.run(command, cwd=place.folder, env=os.environ, capture_output=True, text=True, check=False, timeout=120)
    assert failed.returncode == 3, failed.stderr
    assert "Traceback" not in failed.stderr
    assert failed.stderr.strip().splitlines()[-1].startswith("caif: ")
    again = place.caif("run", "run.toml", "--home", str(home), "--until", "feedback")
    assert again.exit_code == 0, again.output
