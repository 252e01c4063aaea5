"""caif from Python, as the README shows it: a source written in the script, a run, its rows as a data set."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

import caif
from caif.errors import CaifError

SCRIPT = """
import sys
import caif

def shorter(least: int = 1):
    def source(context):
        for one, other in zip(context.samples[::2], context.samples[1::2]):
            short, long = sorted((one.text, other.text), key=len)
            if len(short) >= least and short != long:
                yield caif.Preference(prompt=one.prompt, chosen=short, rejected=long, probability=0.8,
                                      objective="helpfulness", source=context.source)
    return source

@caif.hookimpl
def caif_feedback_sources():
    return {"shorter": shorter}

done = caif.run_file("run.toml", overrides=["feedback=[{use='shorter'}]"], plugins=[sys.modules[__name__]], tell=caif.Tell())
print(len(done.rows("shorter", caif.Preference)), len(done.dataset("combine")["train"]), done.report)
"""


@pytest.fixture
def whole(place):
    """The run with a data set at its end and no page."""
    text = (place.folder / "run.toml").read_text(encoding="utf-8")
    place.write("run.toml", text + "[combine]\nheldout = 0.0\n")
    return place


def test_a_script_brings_its_own_source(whole) -> None:
    """The script itself is the plugin; what it gives is in the store under its name."""
    whole.write("script.py", SCRIPT)
    done = subprocess.run([sys.executable, "script.py"], cwd=whole.folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["7", "7", "caif-home/runs/demo/report.html"]
    assert done.stderr == ""


def test_a_namespace_is_a_plugin_and_its_code_is_in_the_key(whole) -> None:
    """Another function under the same name is another source: nothing stale is found for it."""

    def one():
        return lambda context: [_says("first", prompt) for prompt in context.prompts]

    def two():
        return lambda context: [_says("second", prompt) for prompt in context.prompts]

    chosen = []
    for factory in (one, two):
        plugin = SimpleNamespace(caif_feedback_sources=caif.hookimpl(_offer(factory)))
        done = caif.run_file("run.toml", overrides=["feedback=[{use='mine'}]"], plugins=[plugin], tell=caif.Tell())
        chosen.append({row.chosen for row in done.rows("mine", caif.Preference)})
    assert chosen == [{"first"}, {"second"}]


def _says(text: str, prompt: caif.Prompt) -> caif.Preference:
    return caif.Preference(prompt=prompt, chosen=text, rejected="b", probability=1.0, objective="helpfulness", source="mine")


def _offer(factory):
    def caif_feedback_sources():
        return {"mine": factory}

    return caif_feedback_sources


def test_an_earlier_run_is_loaded_from_its_folder(whole) -> None:
    """Rows, data sets and artifacts are there without running anything."""
    made = caif.run_file("run.toml", tell=caif.Tell())
    loaded = caif.load_run("caif-home/runs/demo")
    assert loaded.rows("longer", caif.Preference) == made.rows("longer", caif.Preference)
    assert loaded.dataset()["train"].column_names[:3] == ["prompt", "chosen", "rejected"]
    assert len(loaded.dataset("combine", "unpaired")["train"]) == 0
    assert {**loaded.artifacts}.keys() == {**made.artifacts}.keys()


def test_what_is_not_there_is_said_with_what_is(whole) -> None:
    """The nearest name, or the names there are."""
    done = caif.run_file("run.toml", tell=caif.Tell())
    with pytest.raises(CaifError, match="did you mean 'combine'"):
        done.artifact("combin")
    with pytest.raises(CaifError, match="no finished stage 'rl'"):
        _ = done.policy
    with pytest.raises(CaifError, match="preference, unpaired"):
        done.dataset("generate")
    with pytest.raises(CaifError, match="no run's folder"):
        caif.load_run(".")


def test_a_constitution_is_read_by_one_call(place) -> None:
    """The public name for it."""
    law = caif.read_constitution(place.folder / "law.toml")
    assert law.principle("useful").objective == "helpfulness"
