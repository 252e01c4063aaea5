"""One tiny run's folder for all recipes: what they share is made once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from people_alone import run_file

from caif import config, plugins
from caif.config import ModelSpec
from caif.plan import recipe_of
from caif.run import Run
from caif.testing import tiny_model


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Tiny matrices gain nothing from threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random model."""
    return tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def spec(tiny: Path) -> ModelSpec:
    """The tiny model as a run file names it."""
    return ModelSpec(use=f"hf:{tiny}")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """The run file of people's feedback alone."""
    return run_file(tmp_path_factory.mktemp("recipes"), tiny)


@pytest.fixture
def done(whole: Path) -> Callable[..., Run]:
    """Run a recipe, sections added to the run file, and return the run."""

    def run(recipe: str, *overrides: str, sections: str = "") -> Run:
        file = whole.with_name(f"{recipe}.toml")
        file.write_text(f'recipe = "{recipe}"\n{whole.read_text()}\n{sections}')
        made = Run(config.read(file, overrides), whole.parent / "home", plugins.load(), whole.parent)
        recipe_of(made.config, made.plugins)(made)
        made.close()
        return made

    return run
