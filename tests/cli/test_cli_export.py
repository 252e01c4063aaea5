"""`caif export` on a run that was made for real, and the same from Python."""

from collections.abc import Callable
from typing import Any

import caif


def test_a_sources_labels_are_exported_and_read_again(place: Any, until_sources: Callable[..., Any]) -> None:
    """From the run file, before anything was combined; another run reads what was written."""
    assert until_sources().exit_code == 0
    done = place.caif("export", "run.toml", "--to", "caif", "--stage", "longer", "-o", "labels")
    assert done.exit_code == 0, done.output
    assert "labels: see its README.md" in done.output
    assert "constitution `law`" in (place.folder / "labels/README.md").read_text(encoding="utf-8")
    rows = "".join(file.read_text(encoding="utf-8") for file in (place.folder / "labels").glob("preference/*.jsonl"))
    assert rows.count("a long answer") == rows.count("\n") == 7


def test_the_same_from_python(place: Any, until_sources: Callable[..., Any]) -> None:
    """What the command line does is one method of a run's results."""
    until_sources()
    done = caif.load_run("caif-home/runs/demo").export("openrlhf", "labels", stage="longer")
    assert sum(done.tally.files.values()) == 7
    assert done.tally.coarser["soft labels made certain"] == 7
    assert (place.folder / "labels/README.md").is_file()


def test_what_is_not_there_is_one_line(place: Any, until_sources: Callable[..., Any]) -> None:
    """A stage that is not made yet, a format that is not known."""
    until_sources()
    for arguments, message in (
        (("--to", "trl"), "this run has made no stage 'combine'"),
        (("--to", "axolotel", "--stage", "longer"), "did you mean 'axolotl'?"),
        (("--to", "trl", "--stage", "longer", "--licence", "longer"), "is not KEY=VALUE"),
    ):
        done = place.caif("export", "run.toml", "-o", "labels", *arguments)
        assert done.exit_code == 2
        assert message in done.output
        assert not (place.folder / "labels").exists()
