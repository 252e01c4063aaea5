"""Direct RLAIF: reinforce against the judge's own expected score of an answer, with no reward model (Lee et al. 2023)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from caif import processes
from caif.constitution import Constitution, stored
from caif.data import Prompt
from caif.errors import CaifError
from caif.judge import Bench
from caif.judge.single import Item, ratings
from caif.models import resolve
from caif.run import Work
from caif.sections.offline import Direct
from caif.store import Artifact

Reward = Callable[..., list[float | None]]
HIGHEST = 9
"""The best digit a judge can give."""


def rlaif(work: Work, asked: Artifact, law: Artifact, tuned: Artifact | None = None, *, cfg: Direct) -> dict[str, Any]:
    """Train the policy's adapter and keep it. Each objective of the constitution is a reward, from 0 to 1."""
    if cfg.rl.judge is not None:
        raise CaifError("rl.judge: direct RLAIF is paid by [rlaif]'s judge, and watched by none", "leave rl.judge out")
    if processes.count() > 1:
        raise CaifError("rlaif: one process alone may ask the judge, for the answers of all", "run it without torchrun")
    from caif.training import policy
    from caif.training.checkpoints import Checkpoints
    from caif.training.options import rl_options
    from caif.training.payment import Payment
    from caif.training.progress import quiet
    from caif.training.reinforcing import grpo, reinforce
    from caif.training.rl_ends import columns, ended, prompts_of
    from caif.training.rl_rewards import of_plugin, refuse_unknown

    quiet()
    prompts = prompts_of(asked)
    folder = resolve.folder(cfg.rl.model)
    model, tokenizer = policy.started(folder, tuned.model if tuned else None, cfg.rl.rank, work.seed)
    bench = Bench(work.models(cfg.rlaif.judge), work.ask, work.score, min_mass=cfg.rlaif.min_mass)
    functions = [*judged(bench, stored(law), prompts, work.seed, work.draft.count)]
    functions += [of_plugin(name, work.make(part)) for name, part in cfg.rl.rewards.items()]
    names = [function.__name__ for function in functions]
    refuse_unknown(names, cfg.rl)
    payment = Payment(names, cfg.rl)
    rows = columns(prompts, cfg.rl.prompts_per_step)
    kept = Checkpoints.of(work, payment)
    options = rl_options(cfg.rl, work.seed, str(kept.folder))
    trainer = grpo(model, tokenizer, rows, functions, options=options, payment=payment)
    done = reinforce(trainer, cfg.rl, work.tell, kept=kept)
    paid = dict(zip(names, payment.weights(0).tolist(), strict=True))
    told = ended(work, model, tokenizer, done, cfg.rl)
    return {"prompts": len(prompts), "rewards": paid, "judge": bench.model.id, **told}


rlaif.version = 1


def judged(
    bench: Bench, law: Constitution, prompts: Sequence[Prompt], seed: int, count: Callable[[str], None]
) -> list[Reward]:
    """Return one reward an objective: the judge's expected digit over 9, under a principle drawn for the prompt.

    All answers to a prompt are scored under one principle, or they could not be compared. Where the judge fails, or no
    principle applies, the answer has no reward: it is masked in its group, never 0; and counted.
    """
    known = {prompt.id: prompt for prompt in prompts}
    serving: Mapping[str, list[str]] = {
        objective: [p.id for p in law.principles if p.objective == objective] for objective in law.objectives
    }

    def of(objective: str) -> Reward:
        laws = law.only(serving[objective])

        def reward(completions: Sequence[Any], prompt_id: Sequence[str], **_: Any) -> list[float | None]:
            found: list[float | None] = [None] * len(completions)
            drawn = [laws.draw(known[name], "rlaif", seed, objective) for name in prompt_id]
            asked = [
                (n, Item(name, known[name], talk[-1]["content"].strip(), principle))
                for n, (name, talk, principle) in enumerate(zip(prompt_id, completions, drawn, strict=True))
                if principle is not None
            ]
            for (n, _), (reading, _) in zip(asked, ratings(bench, [item for _, item in asked]), strict=True):
                found[n] = None if reading.verdict else reading.logit / HIGHEST
            for value in found:
                if value is None:
                    count(f"no score: {objective}")
            return found

        reward.__name__ = objective
        return reward

    return [of(objective) for objective in law.objectives if serving[objective]]
