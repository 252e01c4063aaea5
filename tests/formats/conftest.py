"""What the tests of formats share: files by hand, real data where it is there, and counts by reason."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from caif.content import Row
from caif.data import Rejected

HERE = Path(__file__).parent
REAL = HERE.parents[1].parent / "shared" / "data"


@pytest.fixture
def golden() -> Callable[[str], Path]:
    """Return a small file written by hand to the documented schema."""
    return lambda name: HERE / "data" / name


@pytest.fixture
def real() -> Callable[[str], Path]:
    """Return a file of the real data beside the project, or skip the test."""

    def find(name: str) -> Path:
        if not (REAL / name).is_file():
            pytest.skip(f"{REAL / name} is not there")
        return REAL / name

    return find


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Return a function that writes a file and gives its path."""

    def put(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


@pytest.fixture
def tally() -> Callable[[Iterable[Row]], dict[str, int]]:
    """Return a function that counts rows by kind, and rejected ones by reason."""

    def count(rows: Iterable[Row]) -> dict[str, int]:
        return dict(Counter(row.reason if isinstance(row, Rejected) else type(row).__name__ for row in rows))

    return count
