"""What all tests share: nothing is traced anywhere, and `--golden` writes golden files anew."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ["LANGSMITH_TRACING"] = "false"
os.environ.setdefault("CAIF_PRECISION", "float32")  # whatever the processor is: numbers are compared


@pytest.fixture
def own_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load models as a user's are, in the precision that this processor is fast in."""
    monkeypatch.delenv("CAIF_PRECISION")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer to accept what is printed now as what is wanted."""
    parser.addoption(
        "--golden", action="store_true", help="write the golden files anew; look at their diff before you commit"
    )


@pytest.fixture
def same_as(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with a golden file, or write that file with `--golden`."""

    def check(file: Path, text: str) -> None:
        if request.config.getoption("--golden"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert file.is_file(), f"{file} is not there; pytest --golden writes it"
        assert text == file.read_text(encoding="utf-8"), (
            f"{file} differs; if that is wanted, write it with pytest --golden"
        )

    return check
