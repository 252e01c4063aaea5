"""Reinforce the tuned model by TRL's RLOO, with the rewards and guards of RL; their weighted sum is all it makes of them."""

from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

from caif.config import Rl
from caif.data import Prompt
from caif.errors import FAILED, CaifError
from caif.models import resolve
from caif.run import Work
from caif.store import Artifact

GRPOS = (
    "aggregation", "floors", "authority", "bars", "safety_tags", "constraints", "judge", "target_kl", "penalty", "trainer",
)  # fmt: skip
"""Keys of [rl] that say nothing to RLOO."""


def rloo(
    work: Work, asked: Artifact, tuned: Artifact | None = None, rewards: Artifact | None = None, *, cfg: Rl
) -> dict[str, Any]:
    """Train the policy's adapter and keep it; return what every step was like."""
    _refuse_others(cfg)
    prompts = [prompt for prompt in asked.rows(Prompt) if prompt.split == "train"]
    if not prompts:
        raise CaifError("rl: there is no prompt to train on", "lower prompts.heldout or add prompts", code=FAILED)
    work.models.release()
    from caif.training import policy
    from caif.training.options import rloo_options
    from caif.training.progress import quiet
    from caif.training.reinforcing import reinforce
    from caif.training.rl_rewards import refuse_unknown
    from caif.training.rloo import rloo as trainer_of

    quiet()
    folder = resolve.folder(cfg.model)
    model, tokenizer = policy.tuned(folder, tuned.model) if tuned else policy.fresh(folder, cfg.rank, work.seed)
    functions = _functions(work, rewards, cfg)
    names = [function.__name__ for function in functions]
    refuse_unknown(names, cfg)
    wanted = prompts * -(-cfg.prompts_per_step // len(prompts))  # TRL trains on no batch that is not full
    rows = {"prompt": [p.chat for p in wanted], "prompt_id": [p.id for p in wanted]}
    with TemporaryDirectory() as scratch:
        options = rloo_options(cfg, names, work.seed, scratch)
        done = reinforce(trainer_of(model, tokenizer, rows, functions, options=options), cfg, work.tell)
    policy.save(model, work.draft.model, tokenizer)
    if done.trip is not None and cfg.guards.on_trip == "stop":
        raise CaifError(done.trip.said, f"the last good policy is in {work.draft.model}", code=FAILED)
    if done.trip is not None:
        work.tell.warn(done.trip.said)
    told = {"tripped": done.trip._asdict() | {"said": done.trip.said}} if done.trip else {}
    return {
        "prompts": len(prompts),
        "rewards": dict(zip(names, options["reward_weights"], strict=True)),
        "steps": done.steps,
        **told,
    }


rloo.version = 1


def _refuse_others(cfg: Rl) -> None:
    for key in GRPOS:
        if key in cfg.model_fields_set:
            raise CaifError(f"rl.{key}: says nothing to RLOO", 'leave it out, or use recipe = "constitutional"')
    for name, weight in cfg.weights.items():
        if not isinstance(weight, float):
            raise CaifError(f"rl.weights.{name}: RLOO takes a number, no schedule", "give the weight as a number")
    if cfg.truncated == "penalty":
        raise CaifError('rl.truncated: RLOO knows no "penalty"', 'use "mask" or "keep"')


def _functions(work: Work, rewards: Artifact | None, cfg: Rl) -> list[Callable[..., Any]]:
    from caif.training.reward_model import RewardModel
    from caif.training.rl_rewards import Heads, of_plugin

    model = RewardModel.load(rewards.model) if rewards else None
    heads = Heads(model) if model else None
    found = [heads.of(name) for name in model.objectives] if model and heads else []
    found += [of_plugin(name, work.make(part)) for name, part in cfg.rewards.items()]
    if len({function.__name__ for function in found}) < len(found) or not found:
        raise CaifError("rl: there is no reward, or two have one name", "see [reward] and [rl.rewards]")
    return found
