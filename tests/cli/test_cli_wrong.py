"""What a user gets wrong is one line on stderr that says what to do, exit code 2, and nothing is written."""

import pytest

from caif import config


def refused(place, *arguments: str, code: int = 2) -> str:
    """Run a command that must fail, and return its one line."""
    result = place.caif(*(arguments or ("run", "run.toml")))
    assert result.exit_code == code, result.output
    assert result.stderr.startswith("caif: ")
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert not (place.folder / "caif-home" / "store").exists()
    return result.stderr


def test_an_unknown_key_is_refused_with_the_nearest_one(place) -> None:
    """A typo that is silently ignored costs a whole run."""
    place.change('samples = 2', 'sampels = 2')
    assert "sample.sampels: unknown key; did you mean 'samples'?" in refused(place)


def test_an_unknown_key_in_an_override_is_refused_too(place) -> None:
    """The command line is no way around the checks."""
    assert "did you mean 'temperature'?" in refused(place, "run", "run.toml", "generate.temprature=1")


def test_an_unknown_option_of_a_part_is_refused_by_name(place) -> None:
    """Options are checked against the factory's signature before the run."""
    place.change('path = "prompts.jsonl"', 'path = "prompts.jsonl"\ncolum = "prompt"')
    assert "jsonl has no option 'colum'; did you mean 'column'?" in refused(place)


def test_a_duplicate_id_in_a_constitution_is_refused_with_its_place(place) -> None:
    """Two principles under one id could not be told apart in any table."""
    law = (place.folder / "law.toml").read_text(encoding="utf-8")
    place.write("law.toml", law + law[law.index("[[principles]]") :])
    assert "principles[1].id: 'useful' stands twice" in refused(place)
    assert "principles[1].id: 'useful' stands twice" in refused(place, "constitution", "check", "law.toml")


@pytest.mark.parametrize("name", ["run.toml", "law.toml", "prompts.jsonl"])
def test_an_empty_file_is_named(place, name: str) -> None:
    """No StopIteration, no traceback."""
    place.write(name, "")
    assert name in refused(place)


def test_a_table_with_a_header_only_has_no_usable_rows(place) -> None:
    """A file may be well formed and still hold nothing."""
    place.write("prompts.csv", "prompt,tags\n")
    place.change('use = "jsonl"\npath = "prompts.jsonl"', 'use = "csv"\npath = "prompts.csv"')
    assert "prompts.csv" in refused(place)


def test_rows_that_are_all_unusable_say_why(place) -> None:
    """The first reason is shown with file and line."""
    place.write("prompts.jsonl", '{"prompt": 5}\n{"prompt": ""}\n')
    assert "prompts.jsonl" in refused(place)


@pytest.mark.parametrize(
    ("model", "says"),
    [("hf:/nowhere/model", "holds no model"), ("ehco:one", "did you mean 'echo'?"), ("other", "no model 'other' in [models]")],
)
def test_a_model_that_is_not_there_is_refused_before_the_run(place, model: str, says: str) -> None:
    """Nothing is built for a run that cannot end."""
    place.change('[generate]\nmodel = "echo"', f'[generate]\nmodel = "{model}"')
    assert says in refused(place)


def test_a_missing_key_names_its_variable(place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets are named by environment variable."""
    monkeypatch.delenv("ECHO_API_KEY", raising=False)
    place.change('echo = "echo:one"', 'echo = { use = "echo:one", api_key_env = "ECHO_API_KEY" }')
    assert "ECHO_API_KEY is not set" in refused(place)


@pytest.mark.parametrize("name", ["../../etc/x", "/etc/x", "a/b", ".", "..", "x" * 300, "", "CON", "nul.txt", "a\\u0000b"])
def test_a_run_name_that_is_no_safe_folder_name_is_refused(place, name: str) -> None:
    """Nothing is written outside the home folder."""
    before = sorted(place.folder.parent.rglob("*"))
    place.change('name = "demo"', f'name = "{name}"')
    assert "name" in refused(place)
    assert sorted(place.folder.parent.rglob("*")) == before


def test_a_source_name_that_is_no_safe_folder_name_is_refused(place) -> None:
    """A source's name becomes a folder of the store."""
    place.change('use = "longer"', 'use = "longer"\nname = "../../x"')
    assert "feedback[0].name" in refused(place)


@pytest.mark.parametrize("key", ["models.echo.api_key", "prompts.token", "exec.password"])
def test_secrets_are_refused_and_not_repeated(place, key: str) -> None:
    """A run file is shared and stored; a secret in it would be too."""
    said = refused(place, "run", "run.toml", "models.echo={use='echo:one'}", f"{key}=sk-CANARY1234567890")
    assert "secrets do not belong in a run file" in said or "looks like a key" in said
    assert "CANARY" not in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\nname: b\n", "run.yaml:2"),
        ("name: !!python/object/apply:os.system ['echo hi']\n", "run.yaml:1"),
        ("a: &a [x]\nb: [" + ", ".join(["*a"] * 30) + "]\n", "too many aliases"),
        ("name: [\n", "run.yaml"),
        ("- 1\n- 2\n", "not a table"),
    ],
)
def test_yaml_that_means_something_else_is_refused(place, text: str, says: str) -> None:
    """Duplicate keys, Python objects and alias bombs stop at the file and line."""
    place.write("run.yaml", text)
    assert says in refused(place, "run", "run.yaml")


@pytest.mark.parametrize(
    "text", ["{{ ''.__class__ }}", "{{ 'a'*10**9 }}", "{x.__class__}", "{unknown}", "{% for x in y %}"]
)
def test_a_constitution_is_data_and_never_a_template(place, text: str) -> None:
    """Anything that looks like a template and is not a declared term is refused."""
    place.write("law.toml", (place.folder / "law.toml").read_text(encoding="utf-8").replace("Be useful.", text))
    assert "is not a declared term" in refused(place, "constitution", "check", "law.toml")


def test_a_huge_or_empty_constitution_is_refused(place) -> None:
    """Before it is parsed."""
    place.write("law.toml", "# " + "x" * 10_000_000)
    assert "over the limit" in refused(place, "constitution", "check", "law.toml")
    place.write("law.toml", 'name = "law"\nprinciples = []\n[objectives]\nhelpfulness = "x"\n')
    assert "principles" in refused(place, "constitution", "check", "law.toml")


def test_overrides_are_read_as_toml_and_paths_start_here(place) -> None:
    """Numbers, lists, texts and bare words; a list element by its number."""
    place.write("below/law.toml", (place.folder / "law.toml").read_text(encoding="utf-8"))
    overrides = ["seed=7", "generate.temperature=1e-1", 'generate.system="a = b"', "name=other", "sample.samples=3",
                 "feedback.0.name=people", "constitution=below/law.toml"]  # fmt: skip
    read = config.read("run.toml", overrides)
    assert (read.seed, read.name, read.constitution) == (7, "other", place.folder / "below" / "law.toml")
    assert read.generate
    assert read.sample
    assert (read.generate.temperature, read.generate.system, read.sample.samples) == (0.1, "a = b", 3)
    assert read.feedback[0].label == "people"
    assert read.exec == config.read("run.toml").exec


@pytest.mark.parametrize("key", ["combine.per_rater", "exec.concurrency", "exec.checkpoint_every"])
def test_true_is_not_taken_for_one(place, key: str) -> None:
    """`per_rater = true` would leave one row of each person."""
    assert f"{key}: must be a number, not true" in refused(place, "run", "run.toml", f"{key}=true")


@pytest.mark.parametrize("override", ["seed", "=3", "feedback.9.name=x", "name.deep=1", "seed=one"])
def test_an_override_that_leads_nowhere_is_refused(place, override: str) -> None:
    """With the override in the message."""
    assert override.split("=", maxsplit=1)[0].split(".")[0] in refused(place, "run", "run.toml", override)


def test_until_names_a_stage_of_this_run(place) -> None:
    """A stage that is left out cannot be reached."""
    assert "did you mean 'generate'?" in refused(place, "run", "run.toml", "--until", "genrate")


def test_show_says_what_there_is(place) -> None:
    """A name that is no run, and a home without runs."""
    assert "no such file" in refused(place, "show", "nothing")
    assert "is no run's folder" in refused(place, "show", ".")


def test_check_prints_every_finding_and_exits_with_2(place) -> None:
    """One run of check finds what a run would find one by one."""
    place.change('[generate]\nmodel = "echo"', '[generate]\nmodel = "hf:/nowhere"')
    place.change('use = "longer"', 'use = "ai-labeler"\njudge = "echo"\nprinciples = ["usefull"]')
    place.change('path = "prompts.jsonl"', 'path = "prompt.jsonl"')
    result = place.caif("check", "run.toml")
    assert result.exit_code == 2
    wrong = [line for line in result.stdout.splitlines() if line.startswith("wrong")]
    assert len(wrong) == 3
    for word in ("/nowhere", "did you mean 'useful'?", "prompt.jsonl"):
        assert any(word in line for line in wrong)
    assert not (place.folder / "caif-home").exists()


def test_check_of_a_good_run_finds_nothing(place) -> None:
    """And makes nothing."""
    result = place.caif("check", "run.toml")
    assert result.exit_code == 0, result.output
    assert "wrong" not in result.stdout
    assert not (place.folder / "caif-home").exists()


@pytest.mark.parametrize(
    ("examples", "complaint"),
    [("x = 1\n", "examples: is required"), ('[[examples]]\nprinciple = "usefull"\n{}', "did you mean 'useful'")],
)
def test_examples_of_the_critic_are_read_beforehand(place, examples: str, complaint: str) -> None:
    """The file's form, and whether the constitution has the principles that it names."""
    rest = "".join(f'{name} = "Some text."\n' for name in ("prompt", "answer", "critique", "revision"))
    place.write("shots.toml", examples.replace("{}", rest))
    text = (place.folder / "run.toml").read_text(encoding="utf-8")
    place.write("run.toml", text + '[revise]\nmodel = "echo"\nexamples = "shots.toml"\n')
    result = place.caif("check", "run.toml")
    assert result.exit_code == 2
    assert complaint in result.stdout


@pytest.mark.parametrize(("source", "what"), [("refusal", "refusals"), ("mismatch", "answers to other prompts")])
def test_refusals_and_mismatches_need_samples(place, source: str, what: str) -> None:
    """There is nothing to set a refusal, or another prompt's answer, against."""
    text = (place.folder / "run.toml").read_text(encoding="utf-8")
    without = text[: text.index("[sample]")] + f'[[feedback]]\nuse = "{source}"\nprinciples = ["useful"]\n'
    place.write("run.toml", without)
    assert f"sets samples against {what}" in place.caif("check", "run.toml").stdout


@pytest.mark.parametrize(("section", "place_of"), [("[prompts]", "prompts"), ("[combine]", "combine")])
def test_to_hold_everything_out_is_refused(place, section: str, place_of: str) -> None:
    """Hours later there would be nothing to learn from."""
    text = (place.folder / "run.toml").read_text(encoding="utf-8").replace("[combine]\n", "")
    place.write("run.toml", f"{text}\n[combine]\n".replace(section, f"{section}\nheldout = 1.0"))
    result = place.caif("check", "run.toml")
    assert result.exit_code == 2
    assert f"wrong  {place_of}: heldout = 1 holds everything out" in result.stdout


def test_what_only_a_model_hub_knows_is_not_called_ok(place) -> None:
    """A name that is no folder may be one on a hub: that is a note, and nothing is looked up."""
    place.change('[generate]\nmodel = "echo"', '[generate]\nmodel = "hf:nope"')
    result = place.caif("check", "run.toml")
    assert result.exit_code == 0, result.output
    assert "ok     generate" not in result.stdout
    assert "note   generate: hf:nope is no folder here" in result.stdout


def test_feedback_about_another_objective_is_a_note(place) -> None:
    """People may bring an objective of their own; a misspelt one looks the same, so it is named."""
    place.write("votes.jsonl", '{"prompt": "a", "completion": "b", "up": true, "objective": "helpfullness"}\n')
    place.change('use = "longer"', 'use = "thumbs"\npath = "votes.jsonl"')
    result = place.caif("check", "run.toml")
    assert result.exit_code == 0, result.output
    said = "note   thumbs: its first row is about 'helpfullness', an objective that the constitution lacks; did you mean"
    assert said in result.stdout
    assert 'objective = "…" in its section says what rows that name none are about' in result.stdout
