"""The packaged plugin, really installed: found by its entry point, known by its version, left out when told so."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTED = """
import json, sys
from caif.plugins import load
plugins = load()
found = [one.id for one in plugins.loaded if one.origin != "built in"]
print(json.dumps([found, plugins.names("caif_feedback_sources"), plugins.complaints()]))
"""
KEYED = """
import json
from caif.plugins import load
print(json.dumps(load().identity("caif_feedback_sources", "escalations", {})))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the plugin, built from a copy so that nothing is left beside the source."""
    if importlib.util.find_spec("setuptools") is None or importlib.util.find_spec("pip") is None:
        pytest.skip("installing a package needs pip and setuptools, and one of them is absent")
    source, target = tmp_path_factory.mktemp("source") / "caif-escalations", tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "plugins" / "caif-escalations", source)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", str(target), str(source)], check=True, capture_output=True, text=True)
    return target


def python(code: str, site: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run Python as a user would who has installed the plugin."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(site)]), **settings}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)


def listed(site: Path, **settings: str) -> list[list[str]]:
    """Return installed plugins, feedback sources and complaints."""
    done = python(LISTED, site, **settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_found_by_its_entry_point(site):
    """Plugin, distribution and version are named."""
    found, sources, complaints = listed(site)
    assert found == ["escalations:caif-escalations 0.1.0"]
    assert "escalations" in sources
    assert complaints == []


def test_installed_plugins_can_be_left_out(site):
    """`none` leaves all out, names let some in, and a name that is not installed is an error."""
    assert listed(site, CAIF_PLUGINS="none")[0] == []
    assert listed(site, CAIF_PLUGINS="escalations")[0] == ["escalations:caif-escalations 0.1.0"]
    wrong = python(LISTED, site, CAIF_PLUGINS="escalation")
    assert wrong.returncode != 0
    assert "CAIF_PLUGINS: no plugin 'escalation' is installed; did you mean 'escalations'?" in wrong.stderr


def test_a_broken_one_is_named_with_its_version(site, tmp_path):
    """The complaint says which distribution to mend."""
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    (broken / "caif_escalations" / "__init__.py").write_text("raise RuntimeError('no licence')")
    complaint = "plugin escalations (caif-escalations 0.1.0) is broken: RuntimeError: no licence"
    assert listed(broken)[2] == [complaint]
    strict = python(LISTED, broken, CAIF_STRICT_PLUGINS="1")
    assert complaint in strict.stderr


def test_its_code_is_part_of_the_key(site, tmp_path):
    """A package that is edited where it lies makes other results, whatever its version says."""
    edited = tmp_path / "site"
    shutil.copytree(site, edited)
    file = edited / "caif_escalations" / "__init__.py"
    file.write_text(file.read_text().replace("0.95", "0.9"))
    assert python(KEYED, site).stdout != python(KEYED, edited).stdout


def test_a_run_uses_it(site, folder):
    """The run file names the source and nothing else."""
    row = {"prompt": "Where is it?", "bot_answer": "No idea.", "agent_answer": "On its way.", "agent": "kim"}
    (folder / "escalations.jsonl").write_text(json.dumps(row))
    (folder / "run.toml").write_text(
        'name = "trial"\nconstitution = "law.toml"\n[prompts]\nuse = "sums"\n'
        '[[feedback]]\nuse = "escalations"\npath = "escalations.jsonl"\n'
    )
    code = (
        "import caif\nfrom caif.api import go, prepare\n"
        f"done = go(prepare({str(folder / 'run.toml')!r}, home={str(folder / 'home')!r}), 'escalations')\n"
        "print([row.chosen for row in done.rows('escalations', caif.Preference)])"
    )
    done = python(code, site)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['On its way.']"
