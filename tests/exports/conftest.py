"""What the tests of exports share."""

from pathlib import Path

import pytest
from labelled import ALL, made_in

from caif.store import Artifact


@pytest.fixture
def mixture(tmp_path: Path) -> Artifact:
    """A mixture with labels of every sort."""
    return made_in(tmp_path / "store" / "combine-1", ALL)
