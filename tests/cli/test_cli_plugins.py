"""What plugins are there, and what is wrong with those that are broken: told, never fatal, unless asked for."""

import pytest

BROKEN = 'raise RuntimeError("no good")\n'


def test_every_plugin_is_listed_with_its_parts_and_its_error(place) -> None:
    """A broken plugin is listed beside those that work."""
    place.write("plugins/broken.py", BROKEN)
    result = place.caif("plugins")
    assert result.exit_code == 0, result.output
    listed = " ".join(result.stdout.split())
    for word in ("caif.sources", "ai-labeler", "echo", "longer", "broken", "no good"):
        assert word in listed


def test_a_part_is_shown_with_its_options(place) -> None:
    """What a run file may say is not only in the code."""
    shown = " ".join(place.caif("plugins", "ai-labeler").stdout.split())
    for word in ("feedback_sources: ai-labeler", "judge", "needed", '"stop" | "warn" | "off"', "selftest", "min_mass", "0.1"):
        assert word in shown
    missing = place.caif("plugins", "ai-labelr")
    assert (missing.exit_code, "did you mean 'ai-labeler'?" in missing.stderr) == (2, True)


def test_a_broken_plugin_is_a_warning_and_a_finding(place, until_sources) -> None:
    """The run goes on without it; `check` does not let it pass."""
    place.write("plugins/broken.py", BROKEN)
    run = until_sources()
    assert run.exit_code == 0, run.output
    assert "warning: plugin broken" in run.stderr
    check = place.caif("check", "run.toml")
    assert check.exit_code == 2
    assert "no good" in check.stdout


def test_strict_plugins_end_the_run(place, until_sources, monkeypatch: pytest.MonkeyPatch) -> None:
    """CAIF_STRICT_PLUGINS=1 is for machines that nobody watches; help is not in its way."""
    place.write("plugins/broken.py", BROKEN)
    monkeypatch.setenv("CAIF_STRICT_PLUGINS", "1")
    assert until_sources().exit_code == 2
    assert place.caif("--help").exit_code == 0


def test_a_part_that_is_offered_twice_names_both(place, until_sources) -> None:
    """Which of the two would run is nobody's guess."""
    place.write("plugins/second.py", "import caif\ndef longer(): ...\n@caif.hookimpl\ndef caif_feedback_sources():\n    return {'longer': longer}\n")
    result = until_sources()
    assert result.exit_code == 2
    assert "offered twice" in result.stderr
    assert "second.py" in result.stderr
    assert "echo.py" in result.stderr
