"""RL as a stage: from the tuned model, held to it, paid by name, in whole groups, and the same bytes twice."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from rl_parts import SEEN, small
from safetensors.torch import load_file, save_file

from caif.config import ModelSpec
from caif.constitution import Constitution
from caif.data import Prompt
from caif.errors import CaifError
from caif.models.local import load
from caif.run import Run
from caif.stages.rl import authority, rl
from caif.store import Artifact
from caif.training.payment import Payment
from caif.training.reinforcing import Grpo

Make = Callable[..., Prompt]
Store = Callable[..., Artifact]


def test_the_policy_starts_at_the_tuned_model_and_is_held_to_it(
    run: Run, asked: Artifact, tuned: Artifact, rewards: Artifact, spec: ModelSpec
) -> None:
    """At the first step the KL to the reference is exactly 0, token by token and over whole answers; later it is not."""
    made = run.build(rl, asked, tuned, rewards, cfg=small(spec, steps=4))
    steps = made.metrics["steps"]
    assert [step["step"] for step in steps] == [1, 2, 3, 4]
    assert steps[0]["kl"] == steps[0]["kl_sequence"] == 0.0
    assert steps[-1]["kl_sequence"] > 0
    assert "rewards/brevity/mean" in steps[0]
    assert made.metrics["rewards"] == {"brevity": 1.0}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= {
        f.name for f in made.model.iterdir()
    }
    assert not (made.model / "ref").exists()
    start, end = (load_file(a.model / "adapter_model.safetensors") for a in (tuned, made))
    assert start.keys() == end.keys()
    assert any(not torch.equal(start[name], end[name]) for name in start)
    load(str(made.model))


def test_a_reward_raises_what_it_pays_for(run: Run, asked: Artifact, tiny: Path, tmp_path: Path) -> None:
    """Paid for a letter, the policy comes to write it: the loop from reward to weights is closed and has the right sign."""
    lively = tmp_path / "lively"  # its logits are large enough to be moved in a few steps
    shutil.copytree(tiny, lively)
    weights = load_file(tiny / "model.safetensors")
    weights["model.embed_tokens.weight"] *= 8
    save_file(weights, lively / "model.safetensors", metadata={"format": "pt"})
    cfg = small(
        ModelSpec(use=f"hf:{lively}"), steps=24, generations=8, at_once=16, max_tokens=6, rank=8, beta=0.001,
        rewards={"letter": {"use": "vowels"}}, learning_rate=3e-2,
    )  # fmt: skip
    steps = run.build(rl, asked, None, None, cfg=cfg).metrics["steps"]
    early, late = ([s["rewards/letter/mean"] for s in part] for part in (steps[:6], steps[-6:]))
    assert sum(late) > sum(early) + 1


def test_a_batch_holds_whole_groups_of_training_prompts(run: Run, asked: Artifact, spec: ModelSpec) -> None:
    """Each prompt's answers lie together, none is held out, and rewards see the prompt's columns."""
    run.build(
        rl, asked, None, None, cfg=small(spec, prompts_per_step=3, at_once=4, rewards={"letter": {"use": "vowels"}})
    )
    heldout = {p.id for p in asked.rows(Prompt) if p.split == "heldout"}
    assert len(SEEN) == 2
    for given in SEEN:
        ids = given["prompt_id"]
        groups = [set(ids[n : n + 4]) for n in range(0, len(ids), 4)]
        assert len(ids) == 12
        assert all(len(group) == 1 for group in groups)
        assert len(set.union(*groups)) == 3
        assert not heldout & set(ids)
        assert len(given["completion_ids"]) == 12


def test_fewer_prompts_than_a_step_takes_are_asked_again(
    run: Run, stored: Store, question: Make, spec: ModelSpec
) -> None:
    """TRL would leave the only batch out and train on nothing; caif does not."""
    one = stored("prompts", [question(1)])
    made = run.build(rl, one, None, None, cfg=small(spec, prompts_per_step=3, rewards={"letter": {"use": "vowels"}}))
    assert len(made.metrics["steps"]) == 2
    assert [len(given["prompt_id"]) for given in SEEN] == [12, 12]


def test_the_same_seed_trains_the_same_policy(
    run: Run, asked: Artifact, tuned: Artifact, rewards: Artifact, spec: ModelSpec, tmp_path: Path
) -> None:
    """Killed and run again, RL gives the same bytes and the same log; another seed gives others."""
    cfg = small(spec, updates=2, steps=4)
    other = run.config.model_copy(update={"seed": 4})
    runs = [run, Run(run.config, tmp_path / "again", run.plugins), Run(other, tmp_path / "other", run.plugins)]
    made = [r.build(rl, asked, tuned, rewards, cfg=cfg) for r in runs]
    weights = [(a.model / "adapter_model.safetensors").read_bytes() for a in made]
    assert weights[0] == weights[1]
    assert made[0].metrics == made[1].metrics
    assert weights[0] != weights[2]


def test_a_reward_without_opinion_changes_nothing(
    run: Run, asked: Artifact, rewards: Artifact, spec: ModelSpec
) -> None:
    """Masked is masked: the policy is byte for byte the one that was trained without that reward."""
    there = run.build(rl, asked, None, rewards, cfg=small(spec, rewards={"mute": {"use": "silent"}}))
    without = run.build(rl, asked, None, rewards, cfg=small(spec))
    names = [a.model / "adapter_model.safetensors" for a in (there, without)]
    assert names[0].read_bytes() == names[1].read_bytes()
    assert there.metrics["steps"][0]["rewards/mute/mean"] is None


def test_a_constraint_is_traced_and_said_if_it_is_out_of_reach(
    run: Run, asked: Artifact, rewards: Artifact, spec: ModelSpec
) -> None:
    """Mean, multiplier and verdict step by step, and how it ended."""
    bound = {"brevity": {"at_least": 50.0, "start": 20.0}}
    made = run.build(rl, asked, None, rewards, cfg=small(spec, steps=10, constraints=bound))
    steps = made.metrics["steps"]
    assert [step["constraints/brevity/multiplier"] for step in steps] == pytest.approx([20.0] * 10)
    assert all(
        step["constraints/brevity/mean"] == pytest.approx(step["rewards/brevity/mean"], abs=1e-5) for step in steps
    )
    ended = made.metrics["constraints"]["brevity"]
    assert (ended["bound"], ended["way"], ended["infeasible"]) == (50.0, "at least", True)
    assert steps[-1]["constraints/brevity/infeasible"] == 1.0
    assert made.metrics["rewards"] == {"brevity": 0.0}


def test_advantages_are_caifs_own_and_rewards_are_logged_as_trl_logs_them(
    run: Run, asked: Artifact, rewards: Artifact, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If TRL were to compute its advantages elsewhere, this would notice: what the loss is given is what Payment gave."""
    given: list[torch.Tensor] = []
    used: list[torch.Tensor] = []
    whole, loss = Payment.__call__, Grpo._compute_loss

    def paid(self: Payment, *args: Any) -> Any:
        found = whole(self, *args)
        given.append(found[0])
        return found

    def computed(self: Grpo, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        used.append(inputs["advantages"])
        return loss(self, model, inputs)

    monkeypatch.setattr(Payment, "__call__", paid)
    monkeypatch.setattr(Grpo, "_compute_loss", computed)
    weights = {"brevity": {"table": [[1, 1.0], [2, 3.0]]}, "letter": -1.0}
    cfg = small(spec, at_once=8, rewards={"letter": {"use": "vowels"}}, weights=weights)
    steps = run.build(rl, asked, None, rewards, cfg=cfg).metrics["steps"]
    assert len(given) == len(used) == 2
    for ours, theirs in zip(given, used, strict=True):
        assert torch.allclose(ours.sort().values, theirs.double().sort().values, atol=1e-5)  # TRL shuffles the batch
    for step, weight in zip(steps, (1.0, 3.0), strict=True):
        assert step["weights/brevity"] == weight
        together = weight * step["rewards/brevity/mean"] - step["rewards/letter/mean"]
        assert step["reward"] == pytest.approx(together, abs=1e-4)


def test_ranks_need_objectives_of_different_authority(
    run: Run, asked: Artifact, rewards: Artifact, spec: ModelSpec, tmp_path: Path
) -> None:
    """The constitution's principles give it, or the run file; where all are alike it is an error."""
    paid = {"aggregation": "veto", "rewards": {"letter": {"use": "vowels"}}}
    with pytest.raises(CaifError, match='"veto" needs rewards of different authority'):
        run.build(rl, asked, None, rewards, cfg=small(spec, **paid))
    text = "please"
    principle = {"id": "p", "objective": "brevity", "critique": text, "revision": text, "compare": text, "authority": 2}
    law = Constitution.model_validate({"name": "law", "objectives": {"brevity": "short"}, "principles": [principle]})
    assert authority(law, ["brevity", "letter"], small(spec, **paid)) == {"brevity": 2}
    assert run.build(rl, asked, None, rewards, cfg=small(spec, **paid, authority={"letter": 1})) is not None


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"bars": {"brevity": 0.0}}, 'bars: says nothing with aggregation = "normalize_then_sum"'),
        (
            {"authority": {"brevity": 1}, "aggregation": "minimum"},
            'authority: says nothing with aggregation = "minimum"',
        ),
        ({"safety_tags": ["risk"], "aggregation": "veto"}, 'safety_tags: says nothing with aggregation = "veto"'),
        ({"penalty": 2.0}, 'penalty: says nothing with truncated = "keep"'),
        ({"target_kl": 60.0}, "target_kl: 60 is not below guards.kl, 50"),
        ({"guards": {"every": 5}}, "guards.every: is for a judge"),
        ({"judge": {"use": "hf:x"}, "guards": {"preference": "off"}}, "judge: is asked for guards.preference"),
        ({"constraints": {"a": {}}}, "either at_least = … or at_most"),
        ({"constraints": {"a": {"at_least": 0, "at_most": 1}}}, "either at_least = … or at_most"),
        ({"constraints": {"a": {"at_least": 0, "start": 99}}}, "start 99 is over most 20"),
        ({"guards": {"kl": 0}}, "guards.kl"),
        ({"weights": {"a": {"linear": [[2, 1], [1, 1]]}}}, "the steps of a schedule rise"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(spec: ModelSpec, fields: dict[str, Any], complaint: str) -> None:
    """By the key, before anything is made."""
    with pytest.raises(ValidationError, match=re.escape(complaint)):
        small(spec, **fields)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"rewards": {"odd": {"use": "broken"}}}, "reward odd: row 1 is nan"),
        ({"rewards": {"brevity": {"use": "vowels"}}}, "is an objective's own reward"),
        ({"weights": {"brevty": 1.0}}, "no reward 'brevty'; did you mean 'brevity'"),
        ({"max_tokens": 2000}, "more than the reward model can read"),
        ({"rewards": {"letter": {"use": "vowels", "oft": "a"}}}, "vowels has no option 'oft'"),
    ],
)
def test_what_cannot_be_a_reward_stops_the_run(
    run: Run, asked: Artifact, rewards: Artifact, spec: ModelSpec, fields: dict[str, Any], complaint: str
) -> None:
    """Each is one line that names the reward, and leaves no policy."""
    with pytest.raises(CaifError, match=complaint):
        run.build(rl, asked, None, rewards, cfg=small(spec, **fields))
    assert not list((run.home / "store").glob("rl-*[!l]"))


def test_a_policy_needs_prompts_a_reward_and_its_own_base(
    run: Run, asked: Artifact, stored: Store, tuned: Artifact, question: Make, spec: ModelSpec, tmp_path: Path
) -> None:
    """No training prompt, no reward, or a tuned model of another base: an error that says so."""
    paid = small(spec, rewards={"letter": {"use": "vowels"}})
    with pytest.raises(CaifError, match="no prompt to train on"):
        run.build(rl, stored("prompts", [question(1, "heldout")]), None, None, cfg=paid)
    with pytest.raises(CaifError, match="there is no reward"):
        run.build(rl, asked, None, None, cfg=small(spec))
    other = paid.model_copy(update={"model": ModelSpec(use=f"hf:{tmp_path}")})
    with pytest.raises(CaifError, match="name the same model in both"):
        run.build(rl, asked, tuned, None, cfg=other)
