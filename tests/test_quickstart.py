"""The packaged quickstart: valid always, and with `make slow` run for real on the embedded models."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from caif import config, constitution, plan, plugins
from caif.data import Prompt, Rating
from caif.estimates import estimates
from caif.models import embedded
from caif.record import resolved
from caif.run import Run

FOLDER = config.read("quickstart").constitution.parent


def test_the_run_file_is_whole() -> None:
    """Every stage is in it, and the judge is not the small model, which is at chance as a judge."""
    run = config.read("quickstart")
    stages = (run.generate, run.revise, run.sft, run.sample, run.combine, run.reward, run.rl, run.evaluate, run.report)
    assert all(stages)
    used = {"ai-labeler", "critique-revise", "contrast", "refusal", "mismatch", "thumbs"}
    assert {source.use for source in run.feedback} == used
    assert run.evaluate is not None
    assert run.evaluate.judge == run.models["judge"] != run.models["policy"]


def test_what_a_run_records_of_itself_is_a_run_file_again(tmp_path: Path) -> None:
    """With every default written out; `caif audit quickstart` reads it."""
    run = config.read("quickstart")
    written = tmp_path / "run.json"
    written.write_text(json.dumps(resolved(run, plugins.load(), FOLDER)))
    assert resolved(config.read(written), plugins.load(), tmp_path) == resolved(run, plugins.load(), FOLDER)


def test_the_check_is_no_reward_and_no_secret_of_the_prompts() -> None:
    """What is measured is not trained on: the metrics are no rewards, and no prompt asks for an example or for brevity."""
    run = config.read("quickstart")
    assert run.rl is not None
    assert run.rl.rewards == {}
    loaded = plugins.load()
    prompts = list(loaded.make("caif_prompts", "jsonl", {"path": "prompts.jsonl"}, FOLDER)())
    assert len(prompts) >= 60
    assert all(isinstance(prompt, Prompt) for prompt in prompts)
    assert not [p.text for p in prompts if "example" in p.text.lower() or "brief" in p.text.lower()]


def test_the_thumbs_are_usable_and_of_both_kinds() -> None:
    """Sixty thumbs, up and down, on objectives that the constitution has."""
    law = constitution.read(FOLDER / "constitution.toml")
    read = plugins.load().make("caif_feedback_formats", "caif", {})
    thumbs = list(read(FOLDER / "thumbs.jsonl"))
    assert len(thumbs) == 60
    assert all(isinstance(row, Rating) and row.objective in law.objectives for row in thumbs)
    assert {row.up for row in thumbs} == {True, False}


def test_the_plan_counts_the_judge_that_looks_on_during_rl(tmp_path: Path) -> None:
    """Two orders of eight comparisons at every fourth of eight steps; without such a judge RL asks no one."""

    def calls(*overrides: str) -> int:
        run = Run(config.read("quickstart", overrides), tmp_path, plugins.load(), FOLDER)
        return estimates(run, plan.steps(run))["rl"].calls

    assert calls() == 2 * 8 * 2
    assert calls("rl.steps=12", "rl.guards.sample=5") == 3 * 5 * 2
    assert calls("rl.guards.every=100") == 0


@pytest.mark.slow
@pytest.mark.usefixtures("own_precision")
@pytest.mark.skipif(embedded.missing("1.5b") is not None, reason="the embedded models are not installed")
def test_the_effect_is_real(tmp_path: Path) -> None:
    """On held-out prompts the share of answers with an example rises from the base model to the policy, beyond chance."""
    home = Path(os.environ.get("CAIF_SLOW_HOME", tmp_path))
    done = subprocess.run([sys.executable, "-m", "caif", "run", "quickstart", "--home", str(home)], check=False)
    assert done.returncode == 0
    numbers = json.loads((home / "runs" / "quickstart" / "report.json").read_text(encoding="utf-8"))
    gain = json.dumps(numbers)
    assert "gives-an-example" in gain
    evaluation = next((home / "store").glob("evaluate-*/artifact.json"))
    measures = json.loads(evaluation.read_text(encoding="utf-8"))["metrics"]["measures"]
    assert measures["gives-an-example"]["policy - base"]["low"] > 0
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"peak memory {peak:.1f} GB")
