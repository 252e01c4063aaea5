"""One tiny run's folder for all recipes: what they share is made once."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from whole import PROMPTS

import caif.quickstart
from caif import config, plugins
from caif.config import ModelSpec
from caif.plan import recipe_of
from caif.run import Run
from caif.testing import tiny_model

RUN = """
name = "tiny"
constitution = "{law}"
[models]
tiny = "hf:{model}"
[prompts]
use = "jsonl"
path = "prompts.jsonl"
heldout = 0.3
[[feedback]]
use = "pairs"
path = "pairs.jsonl"
[[feedback]]
use = "thumbs"
path = "thumbs.jsonl"
[combine]
near_duplicates = "off"
[evaluate]
model = "tiny"
best_of = 2
max_tokens = 12
bootstrap = 50
"""


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
    """A run file with people's feedback alone, so that no judge is asked: pairs and thumbs about two objectives."""
    folder = tmp_path_factory.mktemp("recipes")
    law = Path(next(iter(caif.quickstart.__path__))) / "constitution.toml"
    pairs = [{"prompt": p, "chosen": "It is short.", "rejected": "It is long, " * 4, "probability": 0.8, "objective": o}
             for p in PROMPTS for o in ("clarity", "brevity")]  # fmt: skip
    thumbs = [{"prompt": p, "completion": f"It is number {n}.", "up": n % 3 == 0, "rater": "r", "objective": "clarity"}
              for n, p in enumerate(PROMPTS)]  # fmt: skip
    for name, rows in (("prompts", [{"prompt": p} for p in PROMPTS]), ("pairs", pairs), ("thumbs", thumbs)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = folder / "run.toml"
    file.write_text(RUN.format(law=law, model=tiny))
    return file


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
