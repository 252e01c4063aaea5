"""A run file is refused where it is wrong, by key and with the nearest right name, and never holds a secret."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caif.config import Generate, ModelSpec, RunConfig, locate, read
from caif.errors import WRONG, CaifError

BASE = 'name = "x"\nconstitution = "law.toml"\n[prompts]\nuse = "jsonl"\npath = "p.jsonl"\n'
Write = Callable[[str], Path]

plain = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20)
values = st.recursive(
    plain,
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.from_regex(r"[a-z_-]{1,6}", fullmatch=True), x, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a run file and gives its path."""

    def put(text: str) -> Path:
        (tmp_path / "run.toml").write_text(text, encoding="utf-8")
        return tmp_path / "run.toml"

    return put


def refused(file: Path, *overrides: str) -> str:
    """Return the message with which a run file is refused."""
    with pytest.raises(CaifError) as caught:
        read(file, overrides)
    assert caught.value.code == WRONG
    assert "\n" not in str(caught.value)
    return str(caught.value)


def toml(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {toml(item)}' for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return {float("inf"): "inf", float("-inf"): "-inf"}.get(value, repr(value))
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ('[generate]\nmodel = "hf:x"\nlearing_rate = 1', "generate.learing_rate: unknown key; there are: max_tokens"),
        ('[sft]\nmodel = "hf:x"\nlearing_rate = 1', "sft.learing_rate: unknown key; did you mean 'learning_rate'?"),
        ("[exec]\nconcurency = 3", "exec.concurency: unknown key; did you mean 'concurrency'?"),
        ('[generat]\nmodel = "hf:x"', "generat: unknown key; did you mean 'generate'?"),
        ('[models.small]\nuse = "hf:x"\nrevison = "a"', "models.small.revison: unknown key; did you mean 'revision'?"),
        (
            '[[feedback]]\nuse = "ai-labeler"\njudge = {usee = "hf:x"}',
            "feedback[0]: judge: use: is required and missing",
        ),
        ('[[feedback]]\nname = "x"', "feedback[0].use: is required and missing"),
        (
            '[generate]\nmodel = "hf:x"\nsamples = 0',
            "generate.samples: input should be greater than or equal to 1, not 0",
        ),
        (
            '[models]\nsmall = "hf:x"\n[sft]\nmodel = "smal"',
            "sft.model: no model 'smal' in [models]; did you mean 'small'?",
        ),
        (
            '[[feedback]]\nuse = "thumbs"\n[combine]\nweights = {thumbs = 1e308}',
            "combine.weights.thumbs: input should be less than or equal to 1000000",
        ),
        (
            '[[feedback]]\nuse = "thumbs"\n[combine]\nweights = {thumb = 2}',
            "no feedback source 'thumb'; did you mean 'thumbs'?",
        ),
        (
            '[[feedback]]\nuse = "thumbs"\n[[feedback]]\nuse = "thumbs"',
            "two sources are called 'thumbs'; give one a name of its own: name =",
        ),
        ("[generate]\nsamples = 2", "generate.model: is required and missing"),
        (
            '[rl]\nmodel = "hf:x"\nweights = {a = nan}\nrewards = {b = "c"}',
            "rl.weights.a: input should be a finite number",
        ),
    ],
)
def test_a_mistake_is_told_by_its_key(write: Write, section: str, message: str) -> None:
    """RELIABILITY 29: the key path, what is wrong with it, and the nearest name."""
    assert message in refused(write(BASE + section))


@pytest.mark.parametrize("models", ["models = 3\n", "models = [1]\n", 'models = "hf:x"\n'])
def test_models_that_are_no_table_are_refused(write: Write, models: str) -> None:
    """A wrong type is a sentence, not an AttributeError."""
    assert "models: must be a table of models by name" in refused(write(models + BASE))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ('[revise]\nmodel = "hf:x"', "[revise] needs [generate]"),
        ('[generate]\nmodel = "hf:x"\n[sft]\nmodel = "hf:x"', "[sft] needs [revise]"),
        ("[combine]", "[combine] needs [feedback]"),
        ('[reward]\nmodel = "hf:x"', "[reward] needs [combine]"),
        ('[rl]\nmodel = "hf:x"', "[rl] needs [reward]"),
        ("[evaluate]", "[evaluate] needs [rl]"),
        ("[sample]\nsamples = 2", "sample.model: without [sft] there is no tuned model"),
    ],
)
def test_a_section_that_needs_another_says_which(write: Write, section: str, message: str) -> None:
    """A stage without its input is found before anything is paid for."""
    assert message in refused(write(BASE + section))


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/x",
        "/etc/x",
        "a\0b",
        "a" * 300,
        "CON",
        "con.txt",
        "nul",
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "-x",
        "a\n",
        "ä",
    ],
)
@pytest.mark.parametrize("place", ["run", "source", "part", "model"])
def test_a_name_that_is_no_safe_folder_name_is_refused(write: Write, name: str, place: str) -> None:
    """RELIABILITY 30: names become folders, so a name cannot leave the home folder or be a device."""
    if place == "source" and not name:
        return  # a source without a name is called like its part
    text = {
        "run": BASE.replace('"x"', json.dumps(name)),
        "source": f'{BASE}[[feedback]]\nuse = "thumbs"\nname = {json.dumps(name)}',
        "part": f"{BASE}[[feedback]]\nuse = {json.dumps(name)}",
        "model": f'{BASE}[models]\n{json.dumps(name)} = "hf:x"',
    }[place]
    refused(write(text))


def test_nothing_is_written_while_a_run_file_is_read(write: Write, tmp_path: Path) -> None:
    """RELIABILITY 30: reading refuses; it makes no folder of that name first."""
    refused(write(BASE.replace('"x"', '"../escaped"')))
    assert [path.name for path in tmp_path.iterdir()] == ["run.toml"]
    assert not (tmp_path.parent / "escaped").exists()


@pytest.mark.parametrize(
    "section",
    [
        '[models.m]\nuse = "openai:x"\napi_key = "CANARY-0123456789"', '[models.m]\nuse = "openai:x"\napi-key = "CANARY-0123456789"',
        '[models.m]\nuse = "openai:x"\napi_key_env = "sk-CANARY0123456789abcdef"',
        '[models.m]\nuse = "openai:x"\napi_key_env = "hf_CANARY0123456789"',
        '[models.m]\nuse = "openai:x"\nbase_url = "https://me:CANARY-0123456789@host/v1"',
        '[[feedback]]\nuse = "thumbs"\naccess_token = "CANARY-0123456789"',
        '[[feedback]]\nuse = "thumbs"\nheaders = {Authorization = "CANARY-0123456789"}',
        '[[feedback]]\nuse = "thumbs"\nnote = "sk-CANARY0123456789abcdef"',
        '[generate]\nmodel = "hf:x"\nsystem = "Bearer CANARY0123456789abcdef"',
    ],
)  # fmt: skip
def test_a_secret_is_refused_and_not_shown(write: Write, section: str) -> None:
    """RELIABILITY 31: called like a secret, shaped like one, or where the name of a variable should stand."""
    assert "CANARY" not in refused(write(BASE + section))


@pytest.mark.parametrize(
    "override", ["api_key=CANARY", "name.password=CANARY", "models.m.token=CANARY", "name.x.y=CANARY"]
)
def test_a_secret_in_an_override_is_refused_and_not_shown(write: Write, override: str) -> None:
    """Overrides go through the same door."""
    assert "CANARY" not in refused(write(BASE), override)


@pytest.mark.parametrize(
    "word",
    ["risk-assessment-of-something", "hf_models/my_model_of_the_day", "a token is 4 letters", "The bearer of news"],
)
def test_ordinary_texts_are_not_taken_for_secrets(write: Write, word: str) -> None:
    """The shapes are narrow enough to write about."""
    assert read(write(f'{BASE}note = "{word}"')).prompts.options["note"] == word


def test_a_resolved_run_file_holds_no_secret(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the variable is kept, its value never looked at."""
    monkeypatch.setenv("MY_KEY", "sk-CANARY0123456789abcdef")
    config = read(write(BASE + '[models.m]\nuse = "openai:x"\napi_key_env = "MY_KEY"\n[generate]\nmodel = "m"'))
    assert "CANARY" not in config.model_dump_json()
    assert config.generate is not None
    assert config.generate.model == ModelSpec(use="openai:x", api_key_env="MY_KEY")


@given(values)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_an_override_says_what_toml_says(write: Write, value: Any) -> None:
    """key=value reads a value as the file would, whatever kind it has."""
    assert read(write(BASE), [f"prompts.x={toml(value)}"]).prompts.options["x"] == value


@given(st.text(max_size=30).filter(lambda text: not any(c in text for c in "\r")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_an_override_that_is_no_toml_is_a_text_and_never_a_crash(write: Write, text: str) -> None:
    """A bare word needs no quotes; a second line is part of the text, not a second key."""
    try:
        got = read(write(BASE), [f"prompts.x={text}"]).prompts.options["x"]
    except CaifError:
        return
    assert got == text or not isinstance(got, str) or text.strip()[:1] in "\"'"


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("x=word", "word"),
        ("x=", ""),
        ("x=a=b", "a=b"),
        ("x=1\ny=2", "1\ny=2"),
        ("x=0.1", 0.1),
        ("x=1e-5", 1e-5),
        ("x=#a", "#a"),
        ("x=[1, 2]", [1, 2]),
    ],
)
def test_overrides_read_as_people_write_them(write: Write, override: str, value: object) -> None:
    """No quotes for a word, numbers as numbers, the first = divides."""
    assert read(write(BASE), [f"prompts.{override}"]).prompts.options["x"] == value


@pytest.mark.parametrize("override", ["noequals", "=3", "name.x=1", "feedback.0.name=x", "prompts.path.x=1"])
def test_an_override_of_nothing_is_refused(write: Write, override: str) -> None:
    """A key that is not there is not made up."""
    refused(write(BASE), override)


def test_an_override_reaches_into_lists_and_makes_sections(write: Write) -> None:
    """Feedback sources are a list; a section left out can be asked for on the command line."""
    file = write(BASE + '[[feedback]]\nuse = "thumbs"\npath = "a"')
    config = read(file, ["feedback.0.name=people", "exec.concurrency=2", "combine.heldout=0.5"])
    assert config.feedback[0].label == "people"
    assert config.exec.concurrency == 2
    assert config.combine is not None
    assert config.combine.heldout == 0.5


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_some_generator_would_not_take_is_refused(write: Write, seed: int) -> None:
    """numpy takes no negative seed, torch none over 64 bits: better said now than after the labels."""
    assert "seed" in refused(write(BASE), f"seed={seed}")


def test_paths_start_at_the_run_file(write: Write, tmp_path: Path) -> None:
    """A run file works from any folder."""
    assert read(write(BASE)).constitution == tmp_path / "law.toml"


def test_a_model_is_known_by_what_it_is_not_by_its_name(write: Write) -> None:
    """Two names for one model are one model to every key."""
    one = read(write(BASE + '[models]\na = "hf:x"\n[generate]\nmodel = "a"')).generate
    other = read(write(BASE + '[generate]\nmodel = "hf:x"')).generate
    assert one == other == Generate(model=ModelSpec(use="hf:x"))


def test_the_packaged_quickstart_is_a_valid_run_file() -> None:
    """The first thing anyone runs."""
    assert locate("quickstart").is_file()
    assert isinstance(read("quickstart"), RunConfig)


def test_a_run_config_cannot_be_changed(write: Write) -> None:
    """What was checked is what is run."""
    with pytest.raises(ValueError, match="frozen"):
        read(write(BASE)).name = "other"  # type: ignore[misc]
