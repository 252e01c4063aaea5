"""What the tests of feedback files share: a folder to work in, and the command line in this process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from caif.cli import app


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that writes rows, or bytes as they are, into the folder we are in."""
    monkeypatch.chdir(tmp_path)

    def put(name: str, *rows: Any) -> Path:
        texts = [row if isinstance(row, bytes) else f"{json.dumps(row)}\n".encode() for row in rows]
        Path(name).write_bytes(b"".join(texts))
        return Path(name)

    return put


@pytest.fixture
def caif() -> Callable[..., Result]:
    """Return the command line."""
    return lambda *arguments: CliRunner().invoke(app, list(arguments))
