"""The command line answers at once and loads nothing that it does not need."""

import re
import resource
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import caif
from caif import keys
from caif.cli import app
from caif.errors import CaifError

HEAVY = ["torch", "transformers", "datasets", "trl", "peft"]
COUNT = f"import sys; print([name for name in {HEAVY + ['langchain_core', 'pydantic']!r} if name in sys.modules])"


def python(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.strip().splitlines()[-1]


def test_help_takes_less_than_half_a_second(place) -> None:
    """Measured in processor time, so that a busy machine does not change the verdict; the best of three counts."""
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = place.start("--help")
        shown = done.communicate()[0]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode == 0
        assert "caif run quickstart" in shown
    assert min(seconds) < 0.5


def test_version_is_that_of_the_package(place) -> None:
    """What a bug report has to name."""
    shown = place.caif("--version")
    assert (shown.exit_code, shown.stdout) == (0, f"caif {caif.__version__}\n")


def test_help_loads_neither_torch_nor_pydantic(place) -> None:
    """Every command imports what it needs when it runs."""
    call = "from typer.testing import CliRunner; from caif.cli import app; assert CliRunner().invoke(app, ['--help']).exit_code == 0"
    assert python(f"{call}; {COUNT}") == "[]"


def test_importing_caif_and_all_its_names_loads_no_torch(place) -> None:
    """A plugin imports caif; that must not cost seconds."""
    assert python(f"import caif; {COUNT}") == "[]"
    assert python(f"import caif; [getattr(caif, name) for name in caif.__all__]; {COUNT}") == "['pydantic']"


def test_a_run_without_local_models_loads_no_torch(place) -> None:
    """Labelling with a server needs no training library."""
    call = "from caif.cli import app; app(['run', 'run.toml', '--until', 'feedback'], standalone_mode=False)"
    assert python(f"{call}; {COUNT}") == "['langchain_core', 'pydantic']"


@pytest.mark.parametrize("command", [[], ["run"], ["plan"], ["check"], ["show"], ["plugins"], ["constitution"], ["constitution", "check"]])
def test_every_command_explains_itself(place, command: list[str]) -> None:
    """--help works everywhere and ends with 0."""
    result = place.caif(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_a_misspelt_command_gets_a_suggestion(place) -> None:
    """Wrong use is exit code 2."""
    result = place.caif("rum")
    assert result.exit_code == 2
    assert "Did you mean 'run'?" in result.stderr


def test_every_section_of_a_run_file_can_be_looked_up() -> None:
    """With what a key may be and is; a section that is mistyped is answered with the nearest."""
    shown = CliRunner().invoke(app, ["keys"]).stdout
    assert all(f"[{name}]" in shown for name in ("prompts", "rl", "budget", "exec", "feedback"))
    one = CliRunner().invoke(app, ["keys", "sft"]).stdout
    assert re.search(r"targets\W+\"all\" \| \"final\"\W+\"all\"", one)
    assert re.search(r"model\W+model\W+needed", one)
    with pytest.raises(CaifError, match="did you mean 'reward'"):
        keys.section("rewards")
