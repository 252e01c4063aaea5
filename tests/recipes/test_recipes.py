"""Recipes by name: each runs end to end on the tiny model, and its report says what was left out."""

import json
import math
from collections import Counter
from collections.abc import Callable
from statistics import mean
from typing import Any

import pytest

from caif import plugins
from caif.config import RunConfig
from caif.constitution import Constitution
from caif.coverage.monitor import Known
from caif.data import Comparison, Completion, Judgement, Prompt, Revision
from caif.errors import CaifError
from caif.hookspecs import Answer, Model
from caif.plan import recipe_of
from caif.run import Run
from caif.stages.evaluate import wins
from caif.store import Artifact
from caif.training.reward_model import RewardModel
from caif.training.rl_rewards import Heads

Done = Callable[..., Run]

TUNING = """
[generate]
model = "tiny"
max_tokens = 200
[revise]
model = "tiny"
critique_tokens = 6
max_tokens = 200
turns = 2
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


COVERAGE = """
[coverage]
model = "tiny"
answers = 4
max_tokens = 6
on_fail = "warn"
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


def test_the_judge_compares_all_answers(done: Done) -> None:
    """Each answer of the policy once with one of the start's, under every objective; what fails is counted."""
    run = done("sl-cai", "evaluate.samples=3", 'evaluate.judge="tiny"', sections=TUNING)
    evaluated = stages(run)["evaluate"]
    answers = [c for c in evaluated.rows(Completion) if c.sample < 3 and c.usable]
    for objective, row in evaluated.metrics["wins"].items():
        said = [j for j in evaluated.rows(Judgement) if j.objective == objective]
        assert row["failed"] == sum(j.p_a is None for j in said)
        for prompt in {c.prompt.id for c in answers}:
            of_prompt = Counter((c.model == evaluated.metrics["start"], c.text) for c in answers if c.prompt.id == prompt)
            own = [j.comparison for j in said if j.comparison.prompt.id == prompt]
            assert Counter([(False, c.a) for c in own] + [(True, c.b) for c in own]) <= of_prompt
            assert len(own) == min(sum(n for (start, _), n in of_prompt.items() if start == side) for side in (True, False))


def test_prompts_count_alike_in_a_win_rate() -> None:
    """However many comparisons of one were judged, ties one half, and what failed is none."""
    said = {"one": ["a", "a", "b", "tie"], "two": ["a"], "three": ["b", "error"], "four": ["error"]}
    sure = {"a": 0.9, "b": 0.1, "tie": 0.5}
    judged = [
        Judgement(comparison=Comparison(prompt=Prompt.of(prompt), a=f"a{n}", b=f"b{n}"), principle="p", objective="o",
                  verdict=verdict, judge="j", p_a=sure.get(verdict))
        for prompt, verdicts in said.items() for n, verdict in enumerate(verdicts)
    ]  # fmt: skip
    row = wins(judged, 200, 0)["o"]
    assert (row["mean"], row["n"], row["failed"]) == (pytest.approx((0.625 + 1 + 0) / 3), 3, 2)


def test_best_of_n_trains_no_policy(done: Done) -> None:
    """The heads choose among answers; there is no policy, no KL of one, and the report names who won.

    Whether the heads know what is asked can be checked here too.
    """
    run = done("best-of-n", sections=REWARD + COVERAGE)
    assert "rl" not in stages(run)
    assert report(run)["coverage"]["verdict"] == stages(run)["coverage"].metrics["verdict"]
    metrics = stages(run)["evaluate"].metrics
    head = next(table for name, table in metrics["measures"].items() if name.startswith("reward: "))
    assert {"tuned", "best of n", "best of n - tuned"} <= set(head)
    assert (metrics["kl"], metrics["won_by"]) == (None, "best of n")
    assert "rl" in report(run)["left_out"]


def test_rewards_are_evaluated_in_the_unit_that_rl_is_paid_in(done: Done) -> None:
    """A bound on a reward while training and what held-out answers get can be set side by side."""
    run = done("best-of-n", sections=REWARD)
    model = RewardModel.load(stages(run)["reward"].model)
    first = run.config.evaluate.samples if run.config.evaluate else 0  # of the others only the best was measured
    answers = [c for c in stages(run)["evaluate"].rows(Completion) if c.usable and c.sample < first]
    for name in model.objectives:
        paid = Heads(model).of(name)([c.prompt.chat for c in answers], [[{"content": c.text}] for c in answers])
        of_prompt: dict[str, list[float]] = {}
        for c, reward in zip(answers, paid, strict=True):
            of_prompt.setdefault(c.prompt.id, []).append(float(reward or 0.0))
        told = stages(run)["evaluate"].metrics["measures"][f"reward: {name}"]["tuned"]["mean"]
        assert told == pytest.approx(mean(mean(some) for some in of_prompt.values()), abs=1e-4)


def test_best_of_one_is_refused(done: Done) -> None:
    """There is nothing to choose among."""
    with pytest.raises(CaifError, match=r"nothing to choose the best of n by; set evaluate.best_of"):
        done("best-of-n", "evaluate.best_of=1", sections=REWARD)


RL = """
[rl]
model = "tiny"
steps = 2
prompts_per_step = 2
generations = 2
max_tokens = 6
truncated = "keep"
rank = 2
learning_rate = 0.01
weights = { clarity = 2.0 }
"""


def test_rloo_takes_the_place_of_grpo(done: Done) -> None:
    """TRL's RLOO is trained on the heads by name and weight; the reward it logs is their weighted sum.

    The check before it is made, and its steps are measured by what that keeps.
    """
    run = done("rloo", sections=REWARD + RL + COVERAGE)
    policy = stages(run)["rl"]
    assert policy.by == "rloo"
    assert policy.metrics["rewards"] == {"clarity": 2.0, "brevity": 1.0}
    assert len(policy.metrics["steps"]) == 2
    assert report(run)["rl"]["steps"] == 2
    assert "rl" not in report(run)["left_out"]
    known = Known.find(stages(run)["coverage"].model) is not None
    for step in policy.metrics["steps"]:
        wanted = 2 * step["rewards/clarity/mean"] + step["rewards/brevity/mean"]
        assert step["reward"] == pytest.approx(wanted, abs=1e-4)
        assert ("coverage/outside" in step) == known
    assert "spread/clarity" in policy.metrics["steps"][-1]


SAMPLE = """
[sample]
model = "tiny"
samples = 3
max_tokens = 8
[sft]
model = "tiny"
rank = 2
"""


def test_rejection_sampling_tunes_on_the_best_answer(done: Done) -> None:
    """What [sft] learns of each prompt is the sample that the reward model, asked again, scores highest."""
    run = done("rejection-sampling", sections=REWARD + SAMPLE)
    made = stages(run)
    samples = [c for c in made["sample"].rows(Completion) if c.usable and c.prompt.split == "train"]
    from caif.training.reward_model import RewardModel

    model = RewardModel.load(made["reward"].model)
    scale = [model.scale[name] for name in model.objectives]
    scores = model.scores([c.prompt for c in samples], [c.text for c in samples])
    totals = {(c.prompt.id, c.text): sum((float(x) - s["mean"]) / s["std"] for x, s in zip(row, scale, strict=True))
              for c, row in zip(samples, scores, strict=True)}  # fmt: skip
    rows = made["chosen"].rows(Revision)
    assert rows
    for row in rows:
        of_prompt = [total for (prompt, _), total in totals.items() if prompt == row.prompt.id]
        assert totals[row.prompt.id, row.final or ""] == pytest.approx(max(of_prompt))
        assert totals[row.prompt.id, row.first] == pytest.approx(min(of_prompt))
    assert made["sft"].metrics["rows"] == len(rows)
    assert made["chosen"].metrics["gain"] > 0
    assert "rl" in report(run)["left_out"]


def test_rejection_sampling_wants_a_model_to_sample_from(done: Done) -> None:
    """There is no tuned model before it is tuned."""
    with pytest.raises(CaifError, match=r"name it: sample.model"):
        done("rejection-sampling", sections=REWARD + SAMPLE.replace('model = "tiny"', "", 1))


def test_direct_rlaif_is_paid_by_the_judges_scores(done: Done) -> None:
    """Each objective's reward is the judge's expected digit over 9; no label is asked for and no reward model made."""
    run = done("rlaif", "rlaif.min_mass=0", sections=RL + '[rlaif]\njudge = "tiny"\n')
    policy = stages(run)["rl"]
    assert policy.by == "rlaif"
    assert not {"combine", "reward"} & set(stages(run))
    assert policy.metrics["rewards"] == {"clarity": 2.0, "brevity": 1.0, "relevance": 1.0}
    assert all(0 <= step["rewards/brevity/mean"] <= 1 for step in policy.metrics["steps"])
    assert {"combine", "reward"} <= set(report(run)["left_out"])


def test_a_judge_that_fails_gives_no_reward_and_is_counted() -> None:
    """Every second answer has no mass on digits: None, which is masked, and never 0."""
    from caif.judge import Bench
    from caif.stages.rlaif import judged

    law = Constitution.model_validate(
        {
            "name": "x",
            "objectives": {"clarity": "clear"},
            "principles": [
                {"id": "p", "objective": "clarity", "critique": "c", "revision": "r", "compare": "Which is clearer?"}
            ],
        }
    )
    asked = [Prompt.of("one"), Prompt.of("two")]
    shares = [math.log(0.05)] * 9 + [math.log(0.55)]

    def score(_: Any, questions: Any) -> list[Answer]:
        return [
            Answer("", "stop", tuple(shares) if n % 2 == 0 else (-30.0,) * len(shares)) for n in range(len(questions))
        ]

    counted: list[str] = []
    bench = Bench(Model("m", None, first_token_only=True), None, score, min_mass=0.5)  # type: ignore[arg-type]
    reward = judged(bench, law, asked, 0, counted.append)[0]
    talks = [[{"role": "assistant", "content": text}] for text in ("a", "b")]
    first, second = reward(completions=talks, prompt_id=[prompt.id for prompt in asked])
    assert first == pytest.approx((sum(range(9)) * 0.05 + 9 * 0.55) / 9)
    assert second is None
    assert counted == ["no score: clarity"]


@pytest.mark.parametrize("key", ['aggregation="minimum"', "target_kl=1.0", "weights.clarity={linear=[[0,1],[5,2]]}"])
def test_what_rloo_cannot_do_is_refused(done: Done, key: str) -> None:
    """Keys of [rl] that would change nothing in silence."""
    with pytest.raises(CaifError, match=r"rl\..*RLOO"):
        done("rloo", f"rl.{key}", sections=REWARD + RL)


@pytest.mark.parametrize(
    ("recipe", "section"),
    [
        ("dpo", "combine"),
        ("kto", "combine"),
        ("rloo", "combine"),
        ("rejection-sampling", "sample"),
        ("rlaif", "rl"),
        ("soup", "combine"),
        ("sl-cai", "generate"),
        ("best-of-n", "combine"),
    ],
)
def test_a_section_that_is_needed_is_named(recipe: str, section: str, tmp_path: Any) -> None:
    """A run file that lacks what the recipe needs is refused before anything is made."""
    given = RunConfig(name="x", constitution=tmp_path / "law.toml", prompts={"use": "none"}, recipe=recipe)  # type: ignore[arg-type]
    with pytest.raises(CaifError, match=rf"recipe = \"{recipe}\" needs \[{section}\]"):
        recipe_of(given, plugins.load())
