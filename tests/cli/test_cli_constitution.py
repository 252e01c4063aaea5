"""`caif constitution check`: principles by objective, their weights, and the digest."""

from pathlib import Path

import pytest

from caif.constitution import read

ALL = sorted((Path(__file__).parents[2] / "constitutions").glob("*.toml"))


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.stem)
def test_every_constitution_that_comes_with_caif_is_shown(place, file: Path) -> None:
    """Every principle with its objective."""
    result = place.caif("constitution", "check", str(file))
    assert result.exit_code == 0, result.output
    law = read(file)
    assert law.digest in result.stdout
    for principle in law.principles:
        assert principle.id in result.stdout
