"""Reinforce the tuned model by TRL's RLOO, with the rewards and guards of RL; their weighted sum is all it makes of them."""

from typing import Any

from caif.config import Rl
from caif.coverage.gate import gate
from caif.errors import CaifError
from caif.models import resolve
from caif.run import Work
from caif.store import Artifact

GRPOS = (
    "aggregation", "floors", "authority", "bars", "safety_tags", "constraints", "judge", "target_kl", "penalty", "trainer",
)  # fmt: skip
"""Keys of [rl] that say nothing to RLOO."""


def rloo(
    work: Work,
    asked: Artifact,
    tuned: Artifact | None = None,
    rewards: Artifact | None = None,
    covered: Artifact | None = None,
    *,
    cfg: Rl,
) -> dict[str, Any]:
    """Train the policy's adapter and keep it; return what every step was like."""
    _refuse_others(cfg)
    gate(covered)
    work.models.release()
    from caif.training import policy
    from caif.training.checkpoints import Checkpoints
    from caif.training.drift import Listening, measure_drift
    from caif.training.options import rloo_options
    from caif.training.progress import quiet
    from caif.training.reinforcing import reinforce
    from caif.training.rl_ends import columns, ended, prompts_of
    from caif.training.rl_rewards import payers
    from caif.training.rloo import rloo as trainer_of
    from caif.training.shared_trunk import beside

    quiet()
    prompts = prompts_of(asked)
    folder = resolve.folder(cfg.model)
    model, tokenizer = policy.started(folder, tuned.model if tuned else None, cfg.rank, work.seed)
    heard = Listening(beside(model, tokenizer, folder))
    paid = payers(work, rewards, cfg, heard)
    rows = columns(prompts, cfg.prompts_per_step)
    kept = Checkpoints.of(work)
    options = rloo_options(cfg, paid.names, work.seed, str(kept.folder))
    trainer = trainer_of(model, tokenizer, rows, paid.functions, options=options)
    measure_drift(trainer, heard, covered, work.tell)
    done = reinforce(trainer, cfg, work.tell, kept=kept)
    weights = dict(zip(paid.names, options["reward_weights"], strict=True))
    return {"prompts": len(prompts), "rewards": weights, **ended(work, model, tokenizer, done, cfg)}


rloo.version = 1
rloo.together = True


def _refuse_others(cfg: Rl) -> None:
    for key in GRPOS:
        if key in cfg.changed:
            raise CaifError(f"rl.{key}: says nothing to RLOO", 'leave it out, or use recipe = "constitutional"')
    for name, weight in cfg.weights.items():
        if not isinstance(weight, float):
            raise CaifError(f"rl.weights.{name}: RLOO takes a number, no schedule", "give the weight as a number")
    if cfg.truncated == "penalty":
        raise CaifError('rl.truncated: RLOO knows no "penalty"', 'use "mask" or "keep"')
