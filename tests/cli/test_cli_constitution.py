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


def test_everything_wrong_with_a_file_is_told_at_once(place) -> None:
    """By `constitution check` and by `check`: a line each, with its key path; exit code 2."""
    law = place.folder / "law.toml"
    law.write_text(law.read_text().replace("compare = ", "comprae = ").replace("critique = ", "weight = -1\ncritique = "))
    told = place.caif("constitution", "check", str(law))
    assert told.exit_code == 2
    lines = told.stderr.strip().splitlines()
    assert len(lines) >= 3 and all(line.startswith(f"caif: {law}: principles[") for line in lines)
    assert sum("unknown key; did you mean 'compare'?" in line for line in lines) >= 1
    checked = place.caif("check", "run.toml")
    assert checked.exit_code == 2
    assert [line for line in checked.stdout.splitlines() if line.startswith("wrong  constitution: ")] == [
        line.replace("caif: ", "wrong  constitution: ", 1) for line in lines
    ]
