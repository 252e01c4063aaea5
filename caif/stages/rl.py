"""Reinforce the tuned model by GRPO: one reward an objective, any that plugins bring, and the tuned model as reference."""

from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import Any

from caif.config import Rl
from caif.data import Prompt
from caif.errors import FAILED, CaifError
from caif.models import resolve
from caif.run import Work
from caif.store import Artifact


def rl(
    work: Work, asked: Artifact, tuned: Artifact | None = None, rewards: Artifact | None = None, *, cfg: Rl
) -> dict[str, Any]:
    """Train the policy's adapter and keep it; return what every step was like."""
    prompts = [prompt for prompt in asked.rows(Prompt) if prompt.split == "train"]
    if not prompts:
        raise CaifError("rl: there is no prompt to train on", "lower prompts.heldout or add prompts", code=FAILED)
    work.models.release()
    from caif.training import policy
    from caif.training.options import rl_options
    from caif.training.progress import quiet
    from caif.training.reinforcing import reinforce
    from caif.training.rl_rewards import weights_of

    quiet()
    functions = _rewards(work, rewards, cfg)
    names = [function.__name__ for function in functions]
    weights = weights_of(names, cfg.weights)
    folder = resolve.folder(cfg.model)
    model, tokenizer = policy.tuned(folder, tuned.model) if tuned else policy.fresh(folder, cfg.rank, work.seed)
    with TemporaryDirectory() as scratch:
        options = rl_options(cfg, work.seed, scratch, weights)
        steps = reinforce(
            model, tokenizer, columns(prompts, cfg.prompts_per_step), functions, options=options, tell=work.tell
        )
    policy.save(model, work.draft.model, tokenizer)
    return {"prompts": len(prompts), "rewards": dict(zip(names, weights, strict=True)), "steps": steps}


rl.version = 1


def columns(prompts: Sequence[Prompt], at_least: int) -> dict[str, list[Any]]:
    """Return TRL's columns, `prompt` and what rewards may want to know of it; few prompts are asked again.

    TRL leaves out a last batch that is not full, so with fewer prompts than a step takes it would train on none.
    """
    wanted = list(prompts) * -(-at_least // len(prompts))
    return {
        "prompt": [prompt.chat for prompt in wanted],
        "prompt_id": [prompt.id for prompt in wanted],
        "tags": [list(prompt.tags) for prompt in wanted],
        "source": [prompt.source for prompt in wanted],
    }


def _rewards(work: Work, rewards: Artifact | None, cfg: Rl) -> list[Callable[..., Any]]:
    """Return a function a head and a function a plugin's reward, each named."""
    from caif.training.reward_model import RewardModel
    from caif.training.rl_rewards import Heads, of_plugin

    functions: list[Callable[..., Any]] = []
    if rewards is not None:
        model = RewardModel.load(rewards.model)
        if cfg.max_tokens >= model.max_length:
            raise CaifError(
                f"rl.max_tokens {cfg.max_tokens} is more than the reward model can read ({model.max_length})",
                "lower rl.max_tokens or raise reward.max_length",
            )
        heads = Heads(model)
        functions += [heads.of(name) for name in model.objectives]
    for name, part in cfg.rewards.items():
        if name in [function.__name__ for function in functions]:
            raise CaifError(f"rl.rewards: {name!r} is an objective's own reward", "give it another name")
        masked = cfg.aggregation == "normalize_then_sum"
        functions.append(of_plugin(name, work.make(part), may_abstain=masked))
    if not functions:
        raise CaifError("rl: there is no reward", "add [reward], or a plugin's under [rl.rewards]")
    return functions
