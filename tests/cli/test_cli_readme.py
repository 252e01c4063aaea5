"""What the README shows works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

from caif import config
from caif.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[0]


def test_the_python_example_runs(place) -> None:
    """The ten lines of Python are run as they are, beside a run file and a constitution."""
    text = (place.folder / "run.toml").read_text(encoding="utf-8")
    place.write("run.toml", text + "[combine]\nheldout = 0.0\n")
    place.write("rules.toml", (place.folder / "law.toml").read_text(encoding="utf-8"))
    place.write("script.py", block("python"))
    done = subprocess.run([sys.executable, "script.py"], cwd=place.folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "num_rows" in done.stdout


def test_the_run_file_example_is_valid(tmp_path: Path) -> None:
    """The run file shown is accepted, and stops at the reward model as the text says."""
    file = tmp_path / "run.toml"
    file.write_text(block("toml"), encoding="utf-8")
    run = config.read(file)
    assert run.reward
    assert run.rl is None


def test_every_command_shown_exists() -> None:
    """No line of the README names a command that caif does not have."""
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    shown = set(re.findall(r"^caif (\w+)", "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL)), re.MULTILINE))
    assert shown <= known


def test_every_link_leads_somewhere() -> None:
    """Links to files and folders of the project exist."""
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target
