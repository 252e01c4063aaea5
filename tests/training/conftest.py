"""A tiny random model for all tests of training, and runs in a folder of their own."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import rl_parts
import torch

from caif import plugins
from caif.config import ModelSpec, Reward, RunConfig, Sft
from caif.content import Row, digest
from caif.data import Preference, Prompt, Revision, Split, Turn
from caif.run import Run
from caif.stages.reward import reward
from caif.stages.sft import sft
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
    """A run with nothing built, and with the rewards of rl_parts."""
    config = RunConfig(name="test", constitution=tmp_path / "law.toml", prompts={"use": "none"}, seed=3)  # type: ignore[arg-type]
    rl_parts.SEEN.clear()
    return Run(config, tmp_path / "home", plugins.load(objects=[rl_parts]))


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Artifact]:
    """Make an artifact that holds rows, as an earlier stage would have."""
    store = Store(tmp_path / "home" / "store")

    def make(stage: str, *tables: Sequence[Row]) -> Artifact:
        key = digest([row.id for rows in tables for row in rows])
        draft = store.draft(stage, key)
        for rows in tables:
            draft.write(rows, type(rows[0]))
        facts: dict[str, Any] = {"stage": stage, "by": stage, "key": key, "counts": draft.counts, "metrics": {}}
        return store.finish(draft, facts)

    return make


@pytest.fixture(scope="session")
def question() -> Callable[..., Prompt]:
    """Make prompts that differ by their number."""

    def make(n: int, split: Split = "train") -> Prompt:
        return Prompt.of(f"What about number {n}, please?").model_copy(update={"split": split})

    return make


@pytest.fixture
def asked(stored: Callable[..., Artifact], question: Callable[..., Prompt]) -> Artifact:
    """Prompts, some of them held out."""
    return stored("prompts", [question(n) for n in range(5)] + [question(n, "heldout") for n in range(5, 8)])


@pytest.fixture
def tuned(run: Run, stored: Callable[..., Artifact], question: Callable[..., Prompt], spec: ModelSpec) -> Artifact:
    """A tuned model that differs from its base."""
    turns = [Turn(principle="p", critique="c", revision="yes, surely")]
    rows = [Revision(prompt=question(n), first="no", turns=tuple(turns), final="yes, surely") for n in range(4)]
    return run.build(sft, stored("revise", rows), cfg=Sft(model=spec, rank=2, epochs=4, learning_rate=1e-2, batch=4))


@pytest.fixture
def rewards(run: Run, stored: Callable[..., Artifact], question: Callable[..., Prompt], spec: ModelSpec) -> Artifact:
    """A reward model with one head."""
    rows = [
        Preference(prompt=question(n), chosen="short", rejected="long " * 9, probability=0.9, objective="brevity")
        for n in range(8)
    ]
    return run.build(reward, stored("combine", rows), cfg=Reward(model=spec, decay=0.1))
