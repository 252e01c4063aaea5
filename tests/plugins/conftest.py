"""Runs in a folder of their own, with plugins beside the run file as a user has them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import caif
from caif.api import go, prepare

ROOT = Path(__file__).parents[2]
LAW = """
name = "short"
[objectives]
helpfulness = "The answer helps."
[[principles]]
id = "brief"
objective = "helpfulness"
critique = "Is it too long?"
revision = "Make it shorter."
compare = "Which answer is shorter?"
"""
RUN = """
name = "trial"
constitution = "law.toml"
{top}
[prompts]
use = "sums"
{body}
"""


class Heard(caif.Tell):
    """Keeps what a run warns of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CAIF_PLUGINS", "CAIF_STRICT_PLUGINS", "CAIF_STAGE_LOG", "CAIF_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def shipped() -> Path:
    """The plugins that come with caif."""
    return ROOT / "plugins"


@pytest.fixture(scope="session")
def examples() -> Path:
    """The plugins that plugins/README.md shows and that do not come with caif."""
    return Path(__file__).parent / "examples"


def make_folder(folder: Path) -> Path:
    """Put a constitution into a folder, and a plugin that asks for sums: what the run files below need."""
    (folder / "law.toml").write_text(LAW)
    (folder / "plugins").mkdir()
    shutil.copy(Path(__file__).parent / "examples" / "sums.py", folder / "plugins")
    return folder


def start(folder: Path, body: str, *plugins: Path, until: str, top: str = "", tell: caif.Tell) -> caif.Results:
    """Run a run file's stages up to one of them."""
    (folder / "run.toml").write_text(RUN.format(top=top, body=body))
    return go(prepare(folder / "run.toml", home=folder / "home", plugins=plugins, tell=tell), until)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to run in."""
    return make_folder(tmp_path)


@pytest.fixture
def heard() -> Heard:
    """What the runs of a test warned of."""
    return Heard()


@pytest.fixture
def run(folder: Path, heard: Heard) -> Callable[..., caif.Results]:
    """Run in the test's folder, as far as the feedback unless told otherwise."""

    def run(body: str, *plugins: Path, until: str = "feedback", top: str = "") -> caif.Results:
        return start(folder, body, *plugins, until=until, top=top, tell=heard)

    return run


@pytest.fixture
def plugin(folder: Path) -> Callable[[str, str], Path]:
    """Write a single-file plugin where the run finds it."""

    def write(name: str, code: str) -> Path:
        file = folder / "plugins" / f"{name}.py"
        file.write_text(f"import caif\n\n{code}")
        return file

    return write


@pytest.fixture(scope="module")
def reinforced(tmp_path_factory: pytest.TempPathFactory, shipped: Path) -> caif.Results:
    """A run on a tiny model that is paid by a plugin's reward alone and measured by a plugin's metric."""
    from caif.testing import tiny_model

    folder = make_folder(tmp_path_factory.mktemp("reinforced"))
    model = tiny_model(folder / "model")
    body = f"""
[rl]
model = "hf:{model}"
steps = 1
prompts_per_step = 2
generations = 2
max_tokens = 8
truncated = "keep"
rank = 2
rewards.plain = {{ use = "plain-words", longest = 5 }}
[evaluate]
model = "hf:{model}"
max_tokens = 8
best_of = 1
bootstrap = 20
metrics.plain = {{ use = "plain-words" }}
"""
    return start(folder, body, shipped / "plain_words.py", until="evaluate", tell=Heard())
