"""Reinforce the tuned model by TRL's RLOO, with the rewards and guards of RL; their weighted sum is all it makes of them."""

from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

from caif.config import Rl
from caif.errors import CaifError
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
    work.models.release()
    from caif.training import policy
    from caif.training.options import rloo_options
    from caif.training.progress import quiet
    from caif.training.reinforcing import reinforce
    from caif.training.rl_ends import columns, kept, prompts_of
    from caif.training.rl_rewards import refuse_unknown
    from caif.training.rloo import rloo as trainer_of

    quiet()
    prompts = prompts_of(asked)
    folder = resolve.folder(cfg.model)
    model, tokenizer = policy.tuned(folder, tuned.model) if tuned else policy.fresh(folder, cfg.rank, work.seed)
    functions = _functions(work, rewards, cfg)
    names = [function.__name__ for function in functions]
    refuse_unknown(names, cfg)
    rows = columns(prompts, cfg.prompts_per_step)
    with TemporaryDirectory() as scratch:
        options = rloo_options(cfg, names, work.seed, scratch)
        done = reinforce(trainer_of(model, tokenizer, rows, functions, options=options), cfg, work.tell)
    paid = dict(zip(names, options["reward_weights"], strict=True))
    return {"prompts": len(prompts), "rewards": paid, **kept(work, model, tokenizer, done, cfg)}


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
