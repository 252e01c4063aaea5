"""What one broken plugin costs: its own parts and a warning. What would change results in silence is an error."""

import datetime
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import caif
from caif.content import digest
from caif.plugins import load

ROOT = Path(__file__).parents[2]
OFFER = """
def one(words: int = 3):
    return lambda _, answer: float(words)

@caif.hookimpl
def caif_metrics():
    return {"NAME": one}
"""
BROKEN = {
    "raises at import": ("raise RuntimeError('no licence\\nfound')", "RuntimeError: no licence found"),
    "leaves the program": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "does not parse": ("def (", "SyntaxError"),
    "needs what is not there": ("import not_there", "ModuleNotFoundError"),
    "raises in a hook": (OFFER.replace("return {", "1 / 0\n    return {"), "caif_metrics: ZeroDivisionError"),
    "offers nothing": (OFFER.replace('return {"NAME": one}', "return None"), "caif_metrics: AttributeError"),
    "offers no factory": (OFFER.replace(": one}", ": 3}"), "'NAME' is not a factory but 3"),
    "offers a class": (OFFER.replace(": one}", ": dict}"), "'NAME' is not a factory but <class 'dict'>"),
    "wants an argument": (OFFER.replace("caif_metrics()", "caif_metrics(config)"), "takes (config) and must take ()"),
    "wants another argument": (
        "@caif.hookimpl\ndef caif_stage_started(stage):\n    pass\n",
        "caif_stage_started takes (stage) and must take (event)",
    ),
}
REFUSED = {
    "a misspelt hook": (
        OFFER.replace("caif_metrics", "caif_metric"),
        "caif_metric is no hook of caif; did you mean 'caif_metrics'",
    ),
    "a hook without its mark": (OFFER.replace("@caif.hookimpl\n", ""), "caif_metrics is not marked as a hook"),
    "a default argument": (
        "@caif.hookimpl\ndef caif_stage_started(event=None):\n    pass\n",
        "caif_stage_started has a default argument; hooks take none",
    ),
}


@pytest.mark.parametrize(("code", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_costs_its_own_parts_and_a_warning(folder, run, heard, plugin, code, why):
    """The run goes on with the others, and the warning names the plugin, its file and what is wrong, on one line."""
    plugin("good", OFFER.replace("NAME", "good"))
    file = plugin("broken", code)
    run("", until="prompts")
    assert len(heard.warnings) == 1
    assert heard.warnings[0].startswith(f"plugin broken ({file}) is broken: ")
    assert why in heard.warnings[0]
    assert "\n" not in heard.warnings[0]
    metrics = load(folders=[folder / "plugins"]).names("caif_metrics")
    assert "good" in metrics
    assert "NAME" not in metrics


@pytest.mark.parametrize(("code", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_an_error_where_that_is_wanted(run, plugin, monkeypatch, code, why):
    """With CAIF_STRICT_PLUGINS=1 nothing is made."""
    file = plugin("broken", code)
    monkeypatch.setenv("CAIF_STRICT_PLUGINS", "1")
    with pytest.raises(caif.CaifError) as raised:
        run("", until="prompts")
    assert f"plugin broken ({file}) is broken: " in str(raised.value)
    assert why in str(raised.value)
    assert raised.value.code == 2


def test_half_of_a_plugin_works_on(folder, plugin):
    """A hook that fails takes its own parts away and leaves those of the plugin's other hooks."""
    half = OFFER.replace("NAME", "half") + "\n@caif.hookimpl\ndef caif_rewards():\n    raise OSError('no disk')\n"
    plugin("half", half)
    plugins = load(folders=[folder / "plugins"])
    assert "half" in plugins.names("caif_metrics")
    assert "caif_rewards: OSError: no disk" in plugins.complaints()[0]


def test_a_part_of_a_broken_plugin_is_missed_with_the_reason(run, plugin):
    """Whoever asks for it learns why it is not there."""
    plugin("broken", "raise RuntimeError('no licence')")
    with pytest.raises(
        caif.CaifError, match=r"'kudos' is not offered by caif_feedback_sources; .*RuntimeError: no licence"
    ):
        run('[[feedback]]\nuse = "kudos"\n')


@pytest.mark.parametrize(("code", "why"), REFUSED.values(), ids=REFUSED)
def test_what_would_be_passed_over_in_silence_is_always_an_error(run, plugin, code, why):
    """Nobody would call such a hook, and nobody would notice."""
    plugin("careless", code)
    with pytest.raises(caif.CaifError, match=f"plugin careless: {why}"):
        run("", until="prompts")


def test_a_name_offered_twice_is_an_error_that_names_both(run, plugin):
    """Which of the two would be meant?"""
    one, other = plugin("one", OFFER.replace("NAME", "same")), plugin("other", OFFER.replace("NAME", "same"))
    with pytest.raises(caif.CaifError, match="'same' is offered twice by caif_metrics") as raised:
        run("", until="prompts")
    assert str(one) in str(raised.value)
    assert str(other) in str(raised.value)


def test_a_plugin_cannot_replace_a_part_of_caif(run, plugin):
    """A built-in name is taken."""
    plugin("usurper", OFFER.replace("NAME", "words"))
    with pytest.raises(
        caif.CaifError, match=r"'words' is offered twice by caif_metrics: by caif.metrics:built in and usurper"
    ):
        run("", until="prompts")


def test_a_plugin_that_is_named_and_not_there_is_an_error(run):
    """A run file that lists a plugin needs it."""
    with pytest.raises(caif.CaifError, match=r"plugin .*absent.py: no such file"):
        run("", until="prompts", top='plugins = ["absent.py"]')


SOURCE = """
from pathlib import Path

def kudos(path: Path, least: int = 1, judge: caif.ModelSpec | None = None):
    def source(context):
        for n, line in enumerate(path.read_text().split()):
            yield caif.Rating(prompt=caif.Prompt.of(f"Question {n}?"), completion=line, up=True, objective="helpfulness")
    return source

@caif.hookimpl
def caif_feedback_sources():
    return {"kudos": kudos}
"""
KUDOS = '[[feedback]]\nuse = "kudos"\npath = "kudos.txt"\n'


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("leats = 2", "kudos has no option 'leats'; did you mean 'least'"),
        ('least = "many"', "kudos: option least: input should be a valid integer.*, not 'many'"),
        ("least = 2.5", "kudos: option least: input should be a valid integer.*, not 2.5"),
        ('judge = { use = "hf:x", modle = 1 }', "modle"),
        ('judge = "unheard"', "unheard"),
    ],
)
def test_a_wrong_option_is_refused_by_name(folder, run, plugin, body, why):
    """Unknown options get the nearest name, values of another type are shown."""
    plugin("kudos", SOURCE)
    (folder / "kudos.txt").write_text("fine")
    with pytest.raises(caif.CaifError, match=why) as raised:
        run(KUDOS + body + "\n")
    assert raised.value.code == 2


def test_a_missing_option_is_asked_for(run, plugin):
    """An option without a default has to be there."""
    plugin("kudos", SOURCE)
    with pytest.raises(caif.CaifError, match="kudos needs the option 'path'"):
        run('[[feedback]]\nuse = "kudos"\n')


@pytest.mark.parametrize(("does", "told"), [("raise OSError('disk full')", "OSError: disk full"), ("raise SystemExit(3)", "SystemExit: 3")])
def test_an_observer_that_raises_does_not_fail_the_run(run, heard, plugin, does, told):
    """It is told, it fails or wants to leave, and that is all: one warning a stage."""
    plugin("clumsy", f"@caif.hookimpl\ndef caif_stage_finished(event):\n    {does}\n")
    assert run("", until="prompts").made == ("constitution", "prompts")
    assert [w.split(": ", 1)[1] for w in heard.warnings] == [f"caif_stage_finished: {told}"] * 2


def test_an_observer_cannot_change_the_event(run, heard, plugin):
    """What observers are told is frozen."""
    plugin("meddler", "@caif.hookimpl\ndef caif_stage_started(event):\n    event.key = 'mine'\n")
    run("", until="prompts")
    assert "FrozenInstanceError" in heard.warnings[0]


def test_an_edited_plugin_is_run_anew(folder, run, plugin):
    """The code of a single file is part of the key of what it makes; where the file lies is not."""
    plugin("kudos", SOURCE)
    (folder / "kudos.txt").write_text("fine good")
    first = run(KUDOS)
    assert run(KUDOS).made == ()
    plugin("kudos", SOURCE.replace("up=True", "up=bool(n)"))  # within a second, so by time alone it would look the same
    edited = run(KUDOS)
    assert edited.made == ("kudos",)
    assert first.artifact("kudos").key != edited.artifact("kudos").key
    assert [r.up for r in edited.rows("kudos", caif.Rating)] == [False, True]
    (folder / "elsewhere").mkdir()
    (folder / "plugins" / "kudos.py").rename(folder / "elsewhere" / "kudos.py")
    assert run(KUDOS, folder / "elsewhere" / "kudos.py").made == ()


def test_a_file_option_counts_by_content(folder, run, plugin):
    """Another content is another result, under whatever name; a default that is written out changes nothing."""
    plugin("kudos", SOURCE)
    (folder / "kudos.txt").write_text("fine")
    run(KUDOS)
    assert run(KUDOS + "least = 1\n").made == ()
    (folder / "kudos.txt").write_text("good")
    assert run(KUDOS).made == ("kudos",)


def test_an_edited_format_is_read_anew(folder, run, examples, plugin):
    """A source that names a format depends on the format's code too."""
    stars = (examples / "stars.py").read_text()
    plugin("stars", stars)
    (folder / "stars.jsonl").write_text('{"question": "Why?", "answer": "So.", "stars": 2}')
    body = '[[feedback]]\nuse = "thumbs"\nformat = "stars"\npath = "stars.jsonl"\n'
    assert [r.up for r in run(body).rows("thumbs", caif.Rating)] == [False]
    plugin("stars", stars.replace("2: False", "2: True"))
    assert [r.up for r in run(body).rows("thumbs", caif.Rating)] == [True]


def test_a_model_option_counts_by_its_weights(folder, plugin):
    """A folder of weights is known by what is in it."""
    plugin("kudos", SOURCE)
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    plugins = load(folders=[folder / "plugins"])
    options = {"path": "kudos.txt", "judge": {"use": f"hf:{folder / 'model'}"}}
    before = plugins.identity("caif_feedback_sources", "kudos", options, folder)
    assert before == plugins.identity(
        "caif_feedback_sources", "kudos", options | {"judge": f"hf:{folder / 'model'}"}, folder
    )
    (folder / "model" / "config.json").write_text('{"other": 1}')
    assert before != plugins.identity("caif_feedback_sources", "kudos", options, folder)


def test_a_single_file_may_hold_dataclasses_and_deferred_annotations(folder, plugin):
    """Both look their module up by name."""
    file = plugin("kudos", "")
    file.write_text(
        f"from __future__ import annotations\nimport dataclasses, caif\n@dataclasses.dataclass\nclass A:\n    x: int\n{SOURCE}"
    )
    plugins = load(folders=[folder / "plugins"])
    assert not plugins.complaints()
    assert plugins.typed("caif_feedback_sources", "kudos", {"path": "a"}, folder) == {"path": folder / "a"}


def test_an_annotation_that_cannot_be_looked_up_is_said_to_be_that(plugin, folder):
    """A name that only type checkers see is no type to check an option by."""
    plugin(
        "shy",
        'def shy(words: "Number" = 3):\n    return None\n\n@caif.hookimpl\ndef caif_metrics():\n    return {"shy": shy}\n',
    )
    with pytest.raises(caif.CaifError, match="shy: an annotation is not known: name 'Number' is not defined"):
        load(folders=[folder / "plugins"]).make("caif_metrics", "shy", {})


def test_an_option_of_any_kind_can_be_part_of_a_key(plugin, folder):
    """Dates, as TOML has them, and defaults that are no data at all."""
    code = "import datetime\n" + OFFER.replace("words: int = 3", "since: datetime.date = None, by: object = len")
    plugin("dated", code)
    plugins = load(folders=[folder / "plugins"])
    since = [datetime.date(2026, 1, day) for day in (1, 1, 2)]
    one, same, other = [digest(plugins.identity("caif_metrics", "NAME", {"since": day})) for day in since]
    assert one == same != other


def test_a_plugin_given_in_python_is_isolated_too():
    """Its code is the source of its factories; a hook of it that raises takes nothing else away."""
    good, bad = caif.hookimpl(lambda: {"good": good_metric}), caif.hookimpl(lambda: 1 / 0)
    plugins = load(objects=[SimpleNamespace(caif_metrics=good, caif_rewards=bad)])
    assert "caif_rewards: ZeroDivisionError" in plugins.complaints()[0]
    assert "def good_metric" in str(plugins.identity("caif_metrics", "good", {}))


def good_metric():
    """Return a metric."""
    return lambda _, answer: float(len(answer))


def test_the_command_line_answers_beside_a_broken_plugin(folder, plugin):
    """Help needs no plugin; strictness is exit code 2 and one line, not a traceback."""
    plugin("broken", "raise RuntimeError('no licence')")

    def command(word, **settings):
        env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "400", **settings}
        words = [sys.executable, "-m", "caif", word]
        return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)

    assert command("--help", CAIF_STRICT_PLUGINS="1").returncode == 0
    listed = command("plugins")
    assert listed.returncode == 0
    assert "RuntimeError: no licence" in listed.stdout
    strict = command("plugins", CAIF_STRICT_PLUGINS="1")
    assert strict.returncode == 2
    assert "plugin broken" in strict.stderr
    assert "Traceback" not in strict.stderr
