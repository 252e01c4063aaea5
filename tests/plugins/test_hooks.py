"""Every hook at work in a real run: one test a hook, named after it. The plugins are those that the README shows."""

import json

import pytest

import caif
from caif import hookspecs
from caif.api import prepare
from caif.config import Rl
from caif.plugins import OBSERVERS, PARTS
from caif.recipe import trainer
from caif.stages.prompts import prompts
from caif.stages.rl import rl
from caif.store import Store

HELP_DESK = '[[feedback]]\nuse = "support-tickets"\npath = "tickets.csv"\n'
BY_STARS = '[[feedback]]\nuse = "thumbs"\nformat = "stars"\npath = "stars.jsonl"\n'
TRAINED = '[combine]\n[reward]\nmodel = "hf:nowhere"\ntrainer = "constant"\n'
CONSTANT = """
def constant():
    def trainer(work, mixture, *, cfg):
        rows = len(mixture.rows(caif.Preference))
        (work.draft.model / "constant.txt").write_text("VALUE")
        return {"rows": rows}
    return trainer

@caif.hookimpl
def caif_trainers():
    return {"constant": constant}
"""


@pytest.fixture
def tickets(folder):
    """A small export of a help desk."""
    (folder / "tickets.csv").write_text(
        "question,answer,resolved,agent\nWhere is it?,On its way.,yes,kim\nWhere is it?,No idea.,No,bo\n"
    )


def test_every_hook_has_its_test():
    """A hook that nothing exercises is a promise nobody keeps."""
    hooks = {name for name in vars(hookspecs) if name.startswith("caif_")}
    tests = [name.removeprefix("test_") for name in globals() if name.startswith("test_caif_")]
    assert {hook for hook in hooks if any(name.startswith(f"{hook}_") for name in tests)} == hooks
    assert hooks == {*PARTS, *OBSERVERS}


def test_caif_feedback_sources_give_rows_under_the_name_in_the_run_file(run, shipped, tickets):
    """A source's rows are kept, and carry the name that the run file gives it."""
    done = run(f'{HELP_DESK}name = "desk"\n', shipped / "support_tickets.py")
    rows = [(r.prompt.text, r.completion, r.up, r.rater, r.source) for r in done.rows("desk", caif.Rating)]
    assert rows == [
        ("Where is it?", "On its way.", True, "kim", "desk"),
        ("Where is it?", "No idea.", False, "bo", "desk"),
    ]


def test_caif_feedback_formats_are_read_by_the_built_in_sources(folder, run, examples):
    """A new format serves `thumbs` as those that come with caif do."""
    lines = [{"question": "Why?", "answer": f"For {n}.", "stars": n} for n in (1, 3, 5, True)]
    (folder / "stars.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = run(BY_STARS, examples / "stars.py")
    assert [(r.completion, r.up) for r in done.rows("thumbs", caif.Rating)] == [("For 1.", False), ("For 5.", True)]
    assert [(r.where, r.reason) for r in done.rows("thumbs", caif.Rejected)] == [
        ("stars.jsonl:2", "neither up nor down"),
        ("stars.jsonl:4", "stars is not a number"),
    ]


def test_caif_chat_models_answer_under_their_scheme(run, examples):
    """What follows the scheme goes to the factory; the answers are kept like those of any model."""
    done = run('[generate]\nmodel = "parrot:Aye, "\n', examples / "parrot.py", until="generate")
    completions = done.rows("generate", caif.Completion)
    assert len(completions) == 20
    assert {c.text for c in completions} == {f"Aye, {c.prompt.text}" for c in completions}


def test_caif_prompts_are_split_like_any(run):
    """Some of a plugin's prompts are held out too."""
    asked = run("", until="prompts").rows("prompts", caif.Prompt)
    assert [p.text for p in asked] == [f"What is {n} + {n}?" for n in range(20)]
    assert {p.split for p in asked} == {"train", "heldout"}


def test_caif_rewards_are_what_rl_is_paid_for(reinforced):
    """A plugin's reward goes by its name in the run file."""
    assert reinforced.artifact("rl").metrics["rewards"] == {"plain": 1.0}


def test_caif_metrics_are_compared_in_evaluation(reinforced):
    """A plugin's metric is one more measure of both models."""
    assert "plain" in reinforced.artifact("evaluate").metrics["measures"]


def test_caif_trainers_take_the_place_of_the_stage(run, shipped, tickets, plugin):
    """The artifact is the stage's by name, whoever made it; another trainer's code makes another artifact."""
    plugin("constant", CONSTANT)
    first = run(HELP_DESK + TRAINED, shipped / "support_tickets.py", until="reward").artifact("reward")
    assert (first.stage, first.by, first.metrics) == ("reward", "reward", {"rows": 1})
    assert (first.model / "constant.txt").read_text() == "VALUE"
    again = run(HELP_DESK + TRAINED, shipped / "support_tickets.py", until="reward")
    assert again.made == ()
    plugin("constant", CONSTANT.replace("VALUE", "OTHER"))
    edited = run(HELP_DESK + TRAINED, shipped / "support_tickets.py", until="reward")
    assert edited.made == ("reward",)
    assert (edited.artifact("reward").model / "constant.txt").read_text() == "OTHER"


def test_caif_trainers_get_what_the_stage_gets(folder, run, examples, heard):
    """`unchanged` in [rl] is given the tuned model and hands it on as the policy."""
    run("", examples / "unchanged.py", until="prompts")
    ready = prepare(folder / "run.toml", home=folder / "home", plugins=[examples / "unchanged.py"], tell=heard)
    asked = ready.build(prompts, cfg=ready.config.prompts)
    draft = Store(folder / "home" / "store").draft("sft", "0" * 32)
    (draft.model / "adapter_config.json").write_text("{}")
    facts = {"stage": "sft", "by": "sft", "key": "0" * 32, "counts": {}, "metrics": {}}
    tuned = Store(folder / "home" / "store").finish(draft, facts)
    cfg = Rl(model=caif.ModelSpec(use="hf:nowhere"), trainer="unchanged")
    policy = ready.build(trainer(ready, rl, cfg), asked, tuned, None, cfg=cfg)
    assert policy.stage == "rl"
    assert (policy.model / "adapter_config.json").read_text() == "{}"


def test_an_unknown_trainer_is_refused_before_anything_is_made(run, shipped, tickets, plugin):
    """The error comes before the first stage and has the nearest name."""
    plugin("constant", CONSTANT)
    with pytest.raises(caif.CaifError, match="'constent' is not offered by caif_trainers; did you mean 'constant'"):
        run(HELP_DESK + TRAINED.replace("constant", "constent"), shipped / "support_tickets.py", until="reward")


def test_caif_recipes_are_run_by_name(run, shipped, examples, tickets):
    """A plugin's recipe ends where it wants to."""
    done = run(
        f"{HELP_DESK}[combine]\n",
        shipped / "support_tickets.py",
        examples / "data_only.py",
        top='recipe = "data-only"',
        until="",
    )
    assert list(done.artifacts) == ["constitution", "prompts", "support-tickets", "combine"]
    assert [(p.chosen, p.rejected) for p in done.rows("combine", caif.Preference)] == [("On its way.", "No idea.")]


def test_caif_stage_started_is_told_before_a_stage_is_made(run, examples, capsys):
    """An observer hears of a stage that is made, and that it is not made again."""
    for _ in range(2):
        run("", examples / "begins.py", until="prompts")
    assert capsys.readouterr().err == "trial: constitution begins\ntrial: prompts begins\n"


def test_caif_stage_finished_is_told_what_was_made(folder, run, shipped, monkeypatch):
    """The log has one JSON line a stage, found ones too, with their counts."""
    monkeypatch.setenv("CAIF_STAGE_LOG", str(folder / "stages.jsonl"))
    for _ in range(2):
        run("", shipped / "plain_words.py", until="prompts")
    told = [json.loads(line) for line in (folder / "stages.jsonl").read_text().splitlines()]
    assert [(event["stage"], event["reused"]) for event in told] == [
        ("constitution", False), ("prompts", False), ("constitution", True), ("prompts", True),
    ]  # fmt: skip
    assert told[1]["counts"]["prompt"] == told[3]["counts"]["prompt"] == 20
