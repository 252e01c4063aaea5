"""A tiny run's folder for sweeps."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from people_alone import run_file

from caif.testing import tiny_model


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Tiny matrices gain nothing from threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run file of people's feedback alone."""
    folder = tmp_path_factory.mktemp("sweeps")
    return run_file(folder, tiny_model(folder / "model"))
