"""A tiny random model for all tests of training, and runs in a folder of their own."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from caif import plugins
from caif.config import ModelSpec, RunConfig
from caif.data import Prompt, Row, Split
from caif.run import Run
from caif.store import Artifact, Store
from caif.testing import tiny_model


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Tiny matrices gain nothing from threads, and lose much where other work wants the processor."""
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


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with nothing built."""
    config = RunConfig(name="test", constitution=tmp_path / "law.toml", prompts={"use": "none"}, seed=3)  # type: ignore[arg-type]
    return Run(config, tmp_path / "home", plugins.load())


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Artifact]:
    """Make an artifact that holds rows, as an earlier stage would have."""
    store = Store(tmp_path / "home" / "store")

    def make(stage: str, *tables: Sequence[Row]) -> Artifact:
        draft = store.draft(stage, "0" * 32)
        for rows in tables:
            draft.write(rows, type(rows[0]))
        facts: dict[str, Any] = {"stage": stage, "by": stage, "key": "0" * 32, "counts": draft.counts, "metrics": {}}
        return store.finish(draft, facts)

    return make


@pytest.fixture(scope="session")
def question() -> Callable[..., Prompt]:
    """Make prompts that differ by their number."""

    def make(n: int, split: Split = "train") -> Prompt:
        return Prompt.of(f"What about number {n}, please?").model_copy(update={"split": split})

    return make
