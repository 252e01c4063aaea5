"""Reinforce the tuned model by GRPO: one reward an objective, any that plugins bring, and the tuned model as reference."""

from collections.abc import Callable, Mapping, Sequence
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from caif.config import Rl
from caif.constitution import Constitution, stored
from caif.content import rng
from caif.coverage.gate import gate
from caif.coverage.monitor import Known
from caif.data import Comparison, Prompt
from caif.errors import CaifError
from caif.judge import Bench, judge_all
from caif.models import resolve
from caif.run import Work
from caif.sections.rl import RANKED
from caif.store import Artifact

if TYPE_CHECKING:
    from caif.training.payment import Payment
    from caif.training.shared_trunk import TrunkOf


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
    from caif.training.drift import Drift, Listening
    from caif.training.options import rl_options
    from caif.training.payment import Payment
    from caif.training.progress import quiet
    from caif.training.reinforcing import grpo, reinforce
    from caif.training.rl_ends import columns, kept, prompts_of
    from caif.training.rl_rewards import refuse_unknown
    from caif.training.shared_trunk import beside

    quiet()
    prompts = prompts_of(asked)
    folder = resolve.folder(cfg.model)
    model, tokenizer = policy.tuned(folder, tuned.model) if tuned else policy.fresh(folder, cfg.rank, work.seed)
    heard = Listening(beside(model, tokenizer, folder))
    paid = _rewards(work, rewards, cfg, heard)
    names = [function.__name__ for function in paid.functions]
    refuse_unknown(names, cfg)
    payment = Payment(names, cfg, paid.noise, authority(stored(law) if law else None, names, cfg))
    rows = columns(prompts, cfg.prompts_per_step)
    with TemporaryDirectory() as scratch:
        trainer = grpo(
            model, tokenizer, rows, paid.functions, options=rl_options(cfg, work.seed, scratch), payment=payment
        )
        if covered is not None and (known := Known.find(covered.model)) is not None:
            warn = covered.facts["config"]["written"]["warn"]
            trainer.add_callback(Drift(trainer, heard, known, warn, work.tell))
        done = reinforce(trainer, cfg, work.tell, _held_judge(work, trainer, prompts, law, cfg))
    return {
        "prompts": len(prompts),
        "rewards": dict(zip(names, payment.weights(0).tolist(), strict=True)),
        **kept(work, model, tokenizer, done, cfg),
        **_constraints(work, payment),
    }


rl.version = 2


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


class Paid(NamedTuple):
    """What RL is paid for: a function a head and a function a plugin's reward, each named, and the heads' noise."""

    functions: list[Callable[..., Any]]
    noise: Mapping[str, float]


def _rewards(work: Work, rewards: Artifact | None, cfg: Rl, trunk_of: "TrunkOf") -> Paid:
    from caif.training.reward_model import RewardModel
    from caif.training.rl_rewards import Heads, of_plugin

    functions: list[Callable[..., Any]] = []
    noise: Mapping[str, float] = {}
    if rewards is not None:
        model = RewardModel.load(rewards.model, trunk_of)
        if cfg.max_tokens >= model.max_length:
            raise CaifError(
                f"rl.max_tokens {cfg.max_tokens} is more than the reward model can read ({model.max_length})",
                "lower rl.max_tokens or raise reward.max_length",
            )
        heads = Heads(model)
        functions += [heads.of(name) for name in model.objectives]
        noise = heads.noise
    for name, part in cfg.rewards.items():
        if name in [function.__name__ for function in functions]:
            raise CaifError(f"rl.rewards: {name!r} is an objective's own reward", "give it another name")
        functions.append(of_plugin(name, work.make(part)))
    if not functions:
        raise CaifError("rl: there is no reward", "add [reward], or a plugin's under [rl.rewards]")
    return Paid(functions, noise)


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
