"""Recipes by name: each runs end to end on the tiny model, and its report says what was left out."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from caif import plugins
from caif.config import RunConfig
from caif.data import Completion
from caif.errors import CaifError
from caif.plan import recipe_of
from caif.run import Run
from caif.store import Artifact

Done = Callable[..., Run]

TUNING = """
[generate]
model = "tiny"
max_tokens = 12
[revise]
model = "tiny"
critique_tokens = 6
max_tokens = 12
max_growth = 100.0
[sft]
model = "tiny"
rank = 2
"""
REWARD = """
[reward]
model = "tiny"
decay = 0.1
"""


def stages(run: Run) -> dict[str, Artifact]:
    return {artifact.stage: artifact for artifact in run.built}


def report(run: Run) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((stages(run)["report"].folder / "report.json").read_text())
    return made


def test_sl_cai_alone_measures_the_tuned_model_against_the_first(done: Done) -> None:
    """No label is asked for, though the run file has sources: the tuned model is the policy."""
    run = done("sl-cai", sections=TUNING)
    assert list(stages(run)) == ["constitution", "prompts", "generate", "revise", "sft", "evaluate", "report"]
    told = report(run)
    assert {"collect", "combine", "reward", "rl"} <= set(told["left_out"])
    assert told["evaluation"]["start_name"] == "start"
    words = next(m for m in told["evaluation"]["measures"] if m["name"] == "words")
    assert {side["name"] for side in words["sides"]} == {"tuned", "policy"}
    policy = {c.model for c in stages(run)["evaluate"].rows(Completion)}
    assert f"sft-{stages(run)['sft'].key[:16]}" in policy


def test_best_of_n_trains_no_policy(done: Done) -> None:
    """The heads choose among answers; there is no policy, no KL of one, and the report names who won."""
    run = done("best-of-n", sections=REWARD)
    assert "rl" not in stages(run)
    metrics = stages(run)["evaluate"].metrics
    head = next(table for name, table in metrics["measures"].items() if name.startswith("reward: "))
    assert {"tuned", "best of n", "best of n - tuned"} <= set(head)
    assert (metrics["kl"], metrics["won_by"]) == (None, "best of n")
    assert "rl" in report(run)["left_out"]


def test_best_of_one_is_refused(done: Done) -> None:
    """There is nothing to choose among."""
    with pytest.raises(CaifError, match=r"nothing to choose the best of n by; set evaluate.best_of"):
        done("best-of-n", "evaluate.best_of=1", sections=REWARD)


@pytest.mark.parametrize(("recipe", "section"), [("dpo", "combine"), ("sl-cai", "generate"), ("best-of-n", "combine")])
def test_a_section_that_is_needed_is_named(recipe: str, section: str, tmp_path: Any) -> None:
    """A run file that lacks what the recipe needs is refused before anything is made."""
    given = RunConfig(name="x", constitution=tmp_path / "law.toml", prompts={"use": "none"}, recipe=recipe)  # type: ignore[arg-type]
    with pytest.raises(CaifError, match=rf"recipe = \"{recipe}\" needs \[{section}\]"):
        recipe_of(given, plugins.load())
