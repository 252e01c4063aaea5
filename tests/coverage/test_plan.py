"""Where the check stands in a run, before anything is made."""

from pathlib import Path

from caif import config, plan, plugins
from caif.estimates import estimates
from caif.run import Run

OVER = ("coverage.answers=5", "coverage.max_tokens=40")


def planned(home: Path, *overrides: str) -> tuple[Run, list[plan.Step]]:
    run = Run(config.read("quickstart", overrides), home, plugins.load(), config.locate("quickstart").parent)
    return run, plan.steps(run)


def test_it_is_planned_between_reward_model_and_rl_and_changes_nothing_before(tmp_path: Path) -> None:
    """RL with the check is another artifact, as it may not begin; all before it is shared, and RL without it is as ever."""
    run, steps = planned(tmp_path, *OVER)
    names = [step.name for step in steps]
    place = names.index("coverage")
    assert names[place - 1 : place + 2] == ["reward", "coverage", "rl"]
    without = {step.name: step.artifact.key for step in planned(tmp_path)[1]}
    assert "coverage" not in without
    keys = {step.name: step.artifact.key for step in steps}
    assert all(keys[name] == without[name] for name in names[:place])
    assert keys["rl"] != without["rl"]
    cost = estimates(run, steps)["coverage"]
    assert cost.calls == 5
    assert cost.tokens_out == 200
