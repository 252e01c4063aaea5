"""Reinforce the tuned model by GRPO: one reward an objective, any that plugins bring, and the tuned model as reference."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caif.config import Rl
from caif.constitution import Constitution, stored
from caif.content import rng
from caif.coverage.gate import gate
from caif.data import Comparison, Prompt
from caif.errors import CaifError
from caif.judge import Bench, judge_all
from caif.models import resolve
from caif.run import Work
from caif.sections.rl import RANKED
from caif.store import Artifact

if TYPE_CHECKING:
    from caif.training.payment import Payment


def rl(
    work: Work,
    asked: Artifact,
    tuned: Artifact | None = None,
    rewards: Artifact | None = None,
    law: Artifact | None = None,
    covered: Artifact | None = None,
    *,
    cfg: Rl,
) -> dict[str, Any]:
    """Train the policy's adapter and keep it; return what every step was like."""
    gate(covered)
    work.models.release()
    from caif.training import policy
    from caif.training.checkpoints import Checkpoints
    from caif.training.drift import Listening, measure_drift
    from caif.training.options import rl_options
    from caif.training.payment import Payment
    from caif.training.progress import quiet
    from caif.training.reinforcing import grpo, reinforce
    from caif.training.rl_ends import columns, ended, prompts_of
    from caif.training.rl_rewards import payers
    from caif.training.shared_trunk import beside

    quiet()
    prompts = prompts_of(asked)
    folder = resolve.folder(cfg.model)
    model, tokenizer = policy.started(folder, tuned.model if tuned else None, cfg.rank, work.seed)
    heard = Listening(beside(model, tokenizer, folder))
    paid = payers(work, rewards, cfg, heard)
    names = paid.names
    payment = Payment(names, cfg, paid.noise, authority(stored(law) if law else None, names, cfg))
    rows = columns(prompts, cfg.prompts_per_step)
    kept = Checkpoints.of(work, payment)
    options = rl_options(cfg, work.seed, str(kept.folder))
    trainer = grpo(model, tokenizer, rows, paid.functions, options=options, payment=payment)
    measure_drift(trainer, heard, covered, work.tell)
    done = reinforce(trainer, cfg, work.tell, _held_judge(work, trainer, prompts, law, cfg), kept)
    return {
        "prompts": len(prompts),
        "rewards": dict(zip(names, payment.weights(0).tolist(), strict=True)),
        **ended(work, model, tokenizer, done, cfg),
        **_constraints(work, payment),
    }


rl.version = 3
rl.together = True


def authority(law: Constitution | None, names: Sequence[str], cfg: Rl) -> dict[str, int]:
    """Return each objective's authority: the highest of the principles that serve it."""
    found: dict[str, int] = {}
    for principle in law.principles if law else ():
        if principle.objective in names:
            found[principle.objective] = max(found.get(principle.objective, principle.authority), principle.authority)
    if cfg.aggregation in RANKED and len({{**found, **cfg.authority}.get(name, 0) for name in names}) == 1:
        raise CaifError(
            f'rl.aggregation: "{cfg.aggregation}" needs rewards of different authority, and all have the same',
            "give principles an authority, or say it under [rl.authority]",
        )
    return found


def _held_judge(work: Work, trainer: Any, prompts: Sequence[Prompt], law: Artifact | None, cfg: Rl) -> Any:
    """Return what asks the held-out judge, None without one. Each comparison is under a principle drawn for its prompt."""
    from caif.training.held_judge import HeldJudge

    if cfg.judge is None:
        return None
    if law is None:
        raise CaifError("rl.judge: judges by the constitution's principles, and there is none", "leave rl.judge out")
    principles = stored(law)
    bench = Bench(work.models(cfg.judge), work.ask, work.score, wording="principle-last")

    def prefer(some: Sequence[Prompt], old: Sequence[str], new: Sequence[str]) -> list[float]:
        drawn = [principles.draw(prompt, "rl", work.seed) for prompt in some]
        pairs = [
            (Comparison(prompt=prompt, a=now, b=before), principle)
            for prompt, before, now, principle in zip(some, old, new, drawn, strict=True)
            if principle is not None
        ]
        return [judged.p_a for judged in judge_all(bench, pairs, "rl") if judged.p_a is not None]

    sample = rng("held-out judge", work.seed).sample(list(prompts), min(cfg.guards.sample, len(prompts)))
    return HeldJudge(trainer, sample, prefer, cfg.guards.every)


def _constraints(work: Work, payment: "Payment") -> dict[str, Any]:
    """Return how each constraint ended, and say which seems out of reach."""
    found = {}
    for name, rule in payment.cfg.constraints.items():
        multiplier = payment.multipliers[name]
        way = "at least" if rule.sign > 0 else "at most"
        found[name] = {
            "bound": rule.bound, "way": way, "multiplier": multiplier.value, "off": multiplier.off,
            "infeasible": multiplier.infeasible,
        }  # fmt: skip
        if multiplier.infeasible:
            work.tell.warn(
                f"rl: the constraint {name} {way} {rule.bound:g} seems out of reach: its multiplier has been at most "
                f"({rule.most:g}) for {multiplier.stuck} steps, and the mean reward is still {multiplier.off:.2g} "
                "standard deviations off"
            )
    return {"constraints": found} if found else {}
