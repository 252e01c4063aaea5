"""The check before RL as a stage on the tiny model: what it stores, when it stops RL, and what RL's steps then log."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rl_parts import small

from caif.config import Coverage, ModelSpec, Reward, RunConfig
from caif.coverage.monitor import Known
from caif.coverage.rows import Covered
from caif.data import Preference, Prompt, Rating
from caif.errors import FAILED, CaifError
from caif.run import Run, Tell
from caif.stages.coverage import coverage
from caif.stages.reward import reward
from caif.stages.rl import rl
from caif.store import Artifact

WORDS = ["red", "green", "blue", "small", "large", "round", "old", "new", "warm", "cold"]


def about(n: int) -> Prompt:
    """A prompt of a kind that the reward model knows; no two are alike."""
    return Prompt.of(f"What is {WORDS[n % 10]} and {WORDS[n // 10 % 10]} in case {n}?")


def pair(n: int) -> Preference:
    chosen, rejected = f"It is {WORDS[n % 7]}.", f"It may be {WORDS[n % 9]}, or not."
    return Preference(prompt=about(n), chosen=chosen, rejected=rejected, probability=0.9, objective="brevity")


class Ear(Tell):
    """Keeps what is said aloud."""

    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        self.warned.append(text)


@pytest.fixture
def mixture(stored: Callable[..., Artifact]) -> Artifact:
    thumbs = [Rating(prompt=about(n), completion=f"Case {n}.", up=True, objective="brevity") for n in range(60, 80)]
    unused = [pair(n).but(weight=0.0) for n in range(80, 85)]
    return stored("combine", [*map(pair, range(60)), *unused], thumbs)


@pytest.fixture
def rewarded(run: Run, mixture: Artifact, spec: ModelSpec) -> Artifact:
    return run.build(reward, mixture, cfg=Reward(model=spec, decay=0.1))


@pytest.fixture
def asked(stored: Callable[..., Artifact]) -> Artifact:
    """Prompts of RL: ten that the reward model knows, thirty like those, and some that are held out."""
    heldout = [about(n).model_copy(update={"split": "heldout"}) for n in range(200, 205)]
    return stored("prompts", [*map(about, range(70, 110)), *heldout])


def test_scores_shares_and_the_yardstick_are_stored(
    run: Run, asked: Artifact, mixture: Artifact, rewarded: Artifact, spec: ModelSpec
) -> None:
    """A row for each prompt and each new answer, numbers for both checks, and what RL is watched by; twice the same."""
    cfg = Coverage(model=spec, answers=24, max_tokens=8)
    run.tell = Ear()
    made = run.build(coverage, asked, None, mixture, rewarded, cfg=cfg)
    rows = made.rows(Covered)
    assert [row.prompt for row in rows if row.of == "prompt"] == list(map(about, range(70, 110)))
    answers = [row for row in rows if row.of == "answer"]
    assert 0 < len(answers) <= 24
    assert sum(row.known for row in rows) == 10
    assert all((row.neighbour is None) == row.known for row in rows)
    found = made.metrics
    assert (found["prompts"]["reference"], found["prompts"]["asked"], found["prompts"]["known"]) == (80, 40, 10)
    assert found["prompts"]["outside"]["mean"] * 40 == pytest.approx(sum(r.outside for r in rows if r.of == "prompt"))
    assert found["written"]["outside"]["mean"] * len(answers) == pytest.approx(sum(r.outside for r in answers))
    assert set(found["written"]["off_scale"]) == {"brevity"}
    assert sum(group["n"] for group in found["written"]["unlabelled"]) <= sum(r.outside for r in answers)
    assert found["prompts"]["c2st"] is not None
    assert [one["check"] for one in found["findings"]] == ["prompts", "written", "off_scale", "unasked"]
    assert found["verdict"] in ("warn", "fail")  # a tiny random model's letters are nothing like the data
    assert any(said.startswith("coverage: 1") and "of the policy's answers" in said for said in run.tell.warned)
    assert json.loads(json.dumps(found)) == found
    again = Run(run.config, run.home.parent / "again", run.plugins).build(
        coverage, asked, None, mixture, rewarded, cfg=cfg
    )
    assert (again.metrics, again.rows(Covered)) == (found, rows)


def test_a_fail_stops_rl_once_it_is_stored_and_a_warning_does_not(
    run: Run, asked: Artifact, mixture: Artifact, rewarded: Artifact, spec: ModelSpec
) -> None:
    """RL ends with code 1 and the remedy; told to warn only, it trains as it would unwatched, logs its distance and says so."""
    strict = {"model": spec, "answers": 24, "max_tokens": 8, "written": {"warn": 0.2, "fail": 0.3}}
    covered = run.build(coverage, asked, None, mixture, rewarded, cfg=Coverage.model_validate(strict))
    assert covered.metrics["verdict"] == "fail"
    with pytest.raises(CaifError, match=r"of the policy's answers are unlike.*coverage.on_fail") as told:
        run.build(rl, asked, None, rewarded, None, covered, cfg=small(spec))
    assert told.value.code == FAILED
    cfg = Coverage.model_validate({**strict, "on_fail": "warn"})
    covered = run.build(coverage, asked, None, mixture, rewarded, cfg=cfg)
    run.tell = Ear()
    rl_cfg = small(spec, guards={"outside": "off"})
    watched = run.build(rl, asked, None, rewarded, None, covered, cfg=rl_cfg)
    steps = watched.metrics["steps"]
    keys = {"outside", "distance", "refusals", "off_scale"}
    assert all({f"coverage/{key}" for key in keys} <= step.keys() for step in steps)
    assert all(0 <= step["coverage/outside"] <= 1 and step["coverage/distance"] > 0 for step in steps)
    assert len([said for said in run.tell.warned if "unlike any that the reward model was trained on" in said]) == 1
    alone = run.build(rl, asked, None, rewarded, cfg=rl_cfg)
    names = [made.model / "adapter_model.safetensors" for made in (watched, alone)]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_rl_that_leaves_the_data_is_stopped_by_its_guard(
    run: Run, asked: Artifact, mixture: Artifact, rewarded: Artifact, spec: ModelSpec
) -> None:
    """Past `rl.guards.outside` for as long as the guards have patience, the policy of the start is kept."""
    cfg = Coverage(model=spec, answers=24, max_tokens=8, on_fail="warn")
    covered = run.build(coverage, asked, None, mixture, rewarded, cfg=cfg)
    guards = {"outside": 0.3, "patience": 2, "on_trip": "keep", "spread": "off"}
    made = run.build(rl, asked, None, rewarded, None, covered, cfg=small(spec, steps=6, guards=guards))
    assert (made.metrics["tripped"]["guard"], made.metrics["tripped"]["kept"]) == ("outside", 0)


def test_too_little_to_tell_is_said_and_nothing_is_watched(
    run: Run, stored: Callable[..., Artifact], spec: ModelSpec
) -> None:
    """With twelve labelled prompts no distance is known to be far: warnings, and no share."""
    few = stored("combine", list(map(pair, range(12))))
    heads = run.build(reward, few, cfg=Reward(model=spec, decay=0.1))
    prompts = stored("prompts", list(map(about, range(8))))
    covered = run.build(coverage, prompts, None, few, heads, cfg=Coverage(model=spec, answers=4, max_tokens=4))
    assert covered.metrics["prompts"] is covered.metrics["written"] is None
    assert covered.metrics["verdict"] == "warn"
    assert all("too few texts" in finding["said"] for finding in covered.metrics["findings"])
    assert Known.find(covered.model) is None


def test_a_run_file_says_whose_answers_are_looked_at(tmp_path: Path) -> None:
    """The section needs a reward model, and without [sft] the model that RL starts from."""
    given: dict[str, Any] = {"name": "x", "constitution": tmp_path / "law.toml", "prompts": {"use": "none"}}
    with pytest.raises(ValidationError, match=r"\[coverage\] needs \[reward\]"):
        RunConfig.model_validate({**given, "coverage": {}})
    whole = {
        **given,
        "generate": {"model": "hf:x"},
        "feedback": [{"use": "thumbs"}],
        "combine": {},
        "reward": {"model": "hf:x"},
    }
    with pytest.raises(ValidationError, match=r"coverage.model: without \[sft\]"):
        RunConfig.model_validate({**whole, "coverage": {}})
    assert RunConfig.model_validate({**whole, "coverage": {"model": "hf:x"}}).coverage is not None
