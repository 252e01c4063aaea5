"""RL that goes wrong is stopped, and the last good policy kept: on a tiny model, with rewards made to be exploited."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rl_parts
import torch
from rl_parts import small
from safetensors.torch import load_file, save_file

from caif.config import ModelSpec
from caif.data import Prompt
from caif.errors import FAILED, CaifError
from caif.run import Run, Tell
from caif.stages.constitution import constitution
from caif.stages.rl import rl
from caif.store import Artifact
from caif.training import policy
from caif.training.held_judge import HeldJudge
from caif.training.options import rl_options
from caif.training.payment import Payment
from caif.training.reinforcing import Grpo, grpo, reinforce
from caif.training.rl_ends import columns

Make = Callable[..., Prompt]
ENDS = list(range(2, 42))


@pytest.fixture(scope="module")
def brief(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """A tiny model that ends after eight tokens or so: it has forty ends, all alike, so it can learn to avoid them."""
    folder = tmp_path_factory.mktemp("brief") / "model"
    shutil.copytree(tiny, folder)
    weights = load_file(folder / "model.safetensors")
    embedded = weights["model.embed_tokens.weight"]
    embedded[ENDS] = embedded[ENDS[0]].clone()
    weights["model.embed_tokens.weight"] = embedded * 8
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ENDS}))
    return ModelSpec(use=f"hf:{folder}")


def greedy(brief: ModelSpec, **fields: Any) -> Any:
    """A run that pays for length and for nothing else."""
    given = {
        "rewards": {"long": {"use": "length"}}, "steps": 20, "rank": 8, "max_tokens": 24, "generations": 8,
        "at_once": 16, "beta": 0.001,
    }  # fmt: skip
    return small(brief, **{**given, **fields})


class Ear(Tell):
    """Keeps what is said aloud."""

    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        self.warned.append(text)


def left(run: Run) -> Path:
    """The adapter in the draft of a stage that failed."""
    (folder,) = (run.home / "store").glob("rl-*.partial")
    return folder / "model" / "adapter_model.safetensors"


def test_a_reward_equal_to_length_trips_the_guard(run: Run, asked: Artifact, brief: ModelSpec) -> None:
    """RELIABILITY 38: within the steps it is named, with the prompts, as an error; no policy is made of it."""
    with pytest.raises(
        CaifError, match=r"times as long .* reward hacking suspected; reward long rose most; see the"
    ) as told:
        run.build(rl, asked, None, None, cfg=greedy(brief))
    assert told.value.code == FAILED
    ids = {prompt.id[:12] for prompt in asked.rows(Prompt)}
    named = str(told.value).split("answers to ")[1].split(";")[0].split(", ")
    assert set(named) <= ids
    assert left(run).is_file()
    assert not list((run.home / "store").glob("rl-*[!l]"))


def test_kept_instead_the_run_goes_on_with_the_last_good_policy(run: Run, asked: Artifact, brief: ModelSpec) -> None:
    """Said aloud and kept in the metrics; the policy is byte for byte the one that training up to there makes."""
    run.tell = Ear()
    cfg = greedy(brief, guards={"on_trip": "keep", "patience": 2})
    made = run.build(rl, asked, None, None, cfg=cfg)
    trip = made.metrics["tripped"]
    assert (trip["guard"], trip["objective"]) == ("longer", "long")
    assert 0 < trip["kept"] < trip["step"] == len(made.metrics["steps"]) < 20
    assert "reward hacking suspected" in run.tell.warned[0]
    assert f"the policy of step {trip['kept']} is kept" in run.tell.warned[0]
    short = run.build(rl, asked, None, None, cfg=cfg.model_copy(update={"steps": trip["kept"]}))
    files = [artifact.model / "adapter_model.safetensors" for artifact in (made, short)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_reward_that_is_no_number_leaves_the_policy_of_the_step_before(
    run: Run, asked: Artifact, spec: ModelSpec
) -> None:
    """RELIABILITY 36 and 37: at step 4 the run ends, naming reward and row, and step 3's adapter is there."""
    paid = {"rewards": {"late": {"use": "breaks", "after": 3}}}
    with pytest.raises(CaifError, match="reward late: row 1 is nan.*the policy of step 3 is kept in") as told:
        run.build(rl, asked, None, None, cfg=small(spec, steps=6, **paid))
    assert told.value.code == FAILED
    broken = load_file(left(run))
    rl_parts.SEEN.clear()
    three = run.build(rl, asked, None, None, cfg=small(spec, steps=3, **paid))
    whole = load_file(three.model / "adapter_model.safetensors")
    assert broken.keys() == whole.keys()
    assert all(torch.equal(broken[name], whole[name]) for name in whole)


@pytest.fixture
def made(tmp_path: Path, question: Make) -> Callable[..., Grpo]:
    """Make a trainer that is paid for length."""

    def make(cfg: Any) -> Grpo:
        model, tokenizer = policy.fresh(cfg.model.use.removeprefix("hf:"), cfg.rank, 0)
        rows = columns([question(n) for n in range(4)], cfg.prompts_per_step)
        options = rl_options(cfg, 3, str(tmp_path / "scratch"))
        return grpo(model, tokenizer, rows, [rl_parts.length()], options=options, payment=Payment(["score"], cfg))

    return make


def adapter(trainer: Grpo) -> dict[str, torch.Tensor]:
    """A copy of what is trained."""
    return {n: p.detach().clone() for n, p in trainer.model.named_parameters() if p.requires_grad}


def test_a_loss_that_is_no_number_never_becomes_a_policy(
    spec: ModelSpec, made: Callable[..., Grpo], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELIABILITY 37: NaN at step 4 has ruined the weights by the time it is logged; those of step 3 come back."""
    cfg = small(spec, steps=6, at_once=8)
    trainer, whole = made(cfg), Grpo._compute_loss

    def loss(self: Grpo, model: Any, inputs: Any) -> torch.Tensor:
        return whole(self, model, inputs) * (torch.nan if self is trainer and self.state.global_step == 3 else 1.0)

    monkeypatch.setattr(Grpo, "_compute_loss", loss)
    trip = reinforce(trainer, cfg, Tell()).trip
    good = made(cfg.model_copy(update={"steps": 3}))
    reinforce(good, cfg, Tell())
    assert trip is not None
    assert (trip.guard, trip.step, trip.kept) == ("finite", 4, 3)
    assert "is nan" in trip.said
    found, wanted = adapter(trainer), adapter(good)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_answers_that_were_all_cut_off_teach_nothing(spec: ModelSpec, made: Callable[..., Grpo]) -> None:
    """Masked they have no gradient, through the KL neither: the adapter is as it was. Fined, it moves."""
    for truncated, moves in (("mask", False), ("penalty", True)):
        cfg = small(spec, max_tokens=3, truncated=truncated)
        trainer = made(cfg)
        before = adapter(trainer)
        steps = reinforce(trainer, cfg, Tell()).steps
        after = adapter(trainer)
        assert [step["counted"] for step in steps] == [0.0, 0.0]
        assert any(not torch.equal(before[name], after[name]) for name in before) == moves


def test_a_flat_reward_is_noticed(spec: ModelSpec, made: Callable[..., Grpo]) -> None:
    """Where all answers are worth the same there is nothing to learn, and steps are not spent on it."""
    cfg = small(spec, steps=9, guards={"flat": 3})
    trip = reinforce(made(cfg), cfg, Tell()).trip
    assert trip is not None
    assert (trip.guard, trip.step) == ("spread", 3)
    assert "hacking" not in trip.said


def test_the_held_out_judge_stops_a_reward_that_rises_against_it(
    brief: ModelSpec, made: Callable[..., Grpo], question: Make
) -> None:
    """It compares answers to the same prompts; where it turns away from what is paid more, RL ends."""
    asked: list[tuple[list[str], list[str]]] = []

    def prefer(prompts: Any, old: Any, new: Any) -> list[float]:
        asked.append((list(old), list(new)))
        return [0.2 for _ in prompts]

    cfg = greedy(brief, rewards={}, guards={"longer": "off"})
    trainer = made(cfg)
    judge = HeldJudge(trainer, [question(n) for n in range(3)], prefer, 3)
    done = reinforce(trainer, cfg, Tell(), judge)
    assert done.trip is not None
    assert done.trip.guard == "preference"
    assert done.trip.step % 3 == 0
    assert "prefers new answers" in done.trip.said
    assert len(asked) == done.trip.step // 3
    assert all(old == asked[0][0] and len(new) == 3 for old, new in asked)
    assert [step["heldout/judged"] for step in done.steps if "heldout/judged" in step] == [3] * len(asked)


def test_the_run_files_judge_is_asked_by_the_constitution(run: Run, asked: Artifact, spec: ModelSpec) -> None:
    """Every so many steps; a tiny judge knows nothing, which is no preference. Without a constitution it is an error."""
    words = {name: "please" for name in ("critique", "revision", "compare")}
    principle = "\n".join(f'{key} = "{text}"' for key, text in {"id": "p", "objective": "brevity", **words}.items())
    run.config.constitution.write_text(f'name = "law"\n[objectives]\nbrevity = "short"\n[[principles]]\n{principle}\n')
    paid = {"rewards": {"letter": {"use": "vowels"}}, "judge": spec.model_dump(), "guards": {"every": 2, "sample": 2}}
    cfg = small(spec, steps=4, **paid)
    law = run.build(constitution, cfg=run.config.law)
    steps = run.build(rl, asked, None, None, law, cfg=cfg).metrics["steps"]
    assert [step["step"] for step in steps if "heldout/judged" in step] == [2, 4]
    assert all("heldout/preference" in step for step in steps if step.get("heldout/judged"))
    with pytest.raises(CaifError, match="judges by the constitution's principles"):
        run.build(rl, asked, None, None, cfg=cfg)


def test_what_was_measured_of_answers_holds_while_they_serve(spec: ModelSpec, made: Callable[..., Grpo]) -> None:
    """With several updates a batch, its numbers stand in one step's log; a flat reward is noticed all the same."""
    cfg = small(spec, steps=9, updates=2, guards={"flat": 3})
    trip = reinforce(made(cfg), cfg, Tell()).trip
    assert trip is not None
    assert (trip.guard, trip.step) == ("spread", 3)


def test_a_judge_that_is_asked_leaves_the_training_as_it_is(
    spec: ModelSpec, made: Callable[..., Grpo], question: Make
) -> None:
    """Its samples are drawn apart, so the same seed trains the same policy with and without it."""
    cfg = small(spec, steps=3)
    found = []
    for asks in (False, True):
        trainer = made(cfg)
        judge = HeldJudge(trainer, [question(1)], lambda *_: [], 1) if asks else None
        steps = reinforce(trainer, cfg, Tell(), judge).steps
        found.append((adapter(trainer), [step["loss"] for step in steps]))
    assert found[0][1] == found[1][1]
    assert all(torch.equal(found[0][0][name], found[1][0][name]) for name in found[0][0])


def test_beta_is_steered_to_the_target(spec: ModelSpec, made: Callable[..., Grpo]) -> None:
    """Below the target it falls from step to step; each step's own is logged, and without a target none is."""
    cfg = small(spec, steps=3, target_kl=40.0)
    steps = reinforce(made(cfg), cfg, Tell()).steps
    assert [step["beta"] for step in steps] == pytest.approx([0.04, 0.036, 0.0324])
    plain = small(spec, steps=1)
    assert "beta" not in reinforce(made(plain), plain, Tell()).steps[0]
