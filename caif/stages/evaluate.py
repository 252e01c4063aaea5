"""Compare the tuned model with the trained policy on prompts that nothing was trained on.

Win rate per objective by the judge in both orders, rewards per head, the KL that was spent, length and refusals, any
metrics that plugins bring, and best-of-n from the tuned model: the baseline that RL has to beat. Every difference comes
with a bootstrap interval over prompts, since answers to one prompt are not independent.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from caif.audit.bootstrap import compare, interval, mean_by_prompt
from caif.config import Evaluate
from caif.constitution import Constitution, stored
from caif.data import Comparison, Completion, Judgement, Prompt
from caif.errors import CaifError
from caif.hookspecs import Model, Params, Question
from caif.judge import Bench, judge_all
from caif.run import Work
from caif.sampling import sample
from caif.store import Artifact
from caif.text import refuses, words

Measure = Callable[[Completion], float]
Sides = dict[str, list[Completion]]


def evaluate(
    work: Work,
    law: Artifact,
    asked: Artifact,
    drafts: Artifact | None,
    tuned: Artifact | None,
    policy: Artifact | None,
    rewards: Artifact | None = None,
    *,
    cfg: Evaluate,
) -> dict[str, Any]:
    """Write both models' answers and the judgements; return every comparison with its interval.

    Without a policy the best of n answers of the model before RL are what is compared with its first ones.
    """
    prompts = [p for p in asked.rows(Prompt) if p.split == "heldout"]
    if not prompts:
        raise CaifError("evaluate: no prompt is held out", "raise prompts.heldout or add prompts")
    if tuned is None and cfg.model is None:
        raise CaifError("evaluate: nothing says where training began", "name it: evaluate.model")
    start = work.models(tuned or cfg.model)  # type: ignore[arg-type]
    end = work.models(policy) if policy else None
    params = Params(cfg.temperature, cfg.max_tokens)
    before = sample(work, start, prompts, max(cfg.samples, cfg.best_of), params)
    after = sample(work, end, prompts, cfg.samples, params) if end else []
    work.write([*before, *after], Completion)
    first = [c for c in drafts.rows(Completion) if c.prompt.split == "heldout"] if drafts else []
    sides = {"base": first, "tuned": [c for c in before if c.sample < cfg.samples], "policy": after}
    sides = {name: [c for c in side if c.usable] for name, side in sides.items()}
    measures = _measures(work, cfg) | (_heads(rewards, [*first, *before, *after]) if rewards else {})
    picked = best_of_n(before, [m for n, m in measures.items() if n.startswith("reward: ")], cfg.best_of)
    if picked:
        sides = {**sides, "best of n": picked}
    elif end is None:
        raise CaifError("evaluate: there is nothing to choose the best of n by", "set evaluate.best_of to 2 or more")
    kl = _kl(work, start, end, sides["policy"], cfg.temperature) if end and cfg.temperature else None
    results = {
        "prompts": len(prompts),
        "measures": {name: _compared(sides, measure, cfg, work.seed) for name, measure in measures.items()},
        "kl": interval(kl, cfg.bootstrap, work.seed) if kl is not None else None,
        "best_of_n": {"n": cfg.best_of, "kl": math.log(cfg.best_of) - (cfg.best_of - 1) / cfg.best_of},
        "start": start.id,
        "started": "tuned" if tuned else "start",
        "won_by": "policy" if end else "best of n",
    }
    if rewards and (table := _pushed(rewards, before, sides["policy"], kl, cfg, work.seed)):
        results["overoptimisation"] = table
    if cfg.judge is not None:
        bench = Bench(work.models(cfg.judge), work.ask, work.score)
        judged = _judged(bench, stored(law), sides["tuned"], sides["policy"] if end else picked, work.seed)
        work.write(judged, Judgement)
        results["wins"] = wins(judged, cfg.bootstrap, work.seed)
        results["judge"] = bench.model.id
    return results


evaluate.version = 4


def _measures(work: Work, cfg: Evaluate) -> dict[str, Measure]:
    own: dict[str, Measure] = {"words": lambda c: float(words(c.text)), "refusals": lambda c: float(refuses(c.text))}
    for name, part in cfg.metrics.items():
        metric = work.make(part)
        own[name] = lambda c, metric=metric: float(metric(c.prompt, c.text))  # type: ignore[misc]
    return own


def _heads(rewards: Artifact, completions: Sequence[Completion]) -> dict[str, Measure]:
    """Return one measure a head, in the unit that RL is paid in, all completions scored at once by the code that RL uses."""
    from caif.training.reward_model import RewardModel

    model = RewardModel.load(rewards.model)
    unique = list({c.id: c for c in completions if c.usable}.values())
    paid = model.rewards([c.prompt for c in unique], [c.text for c in unique]).tolist()
    table = {c.id: row for c, row in zip(unique, paid, strict=True)}
    return {f"reward: {name}": lambda c, k=k: table[c.id][k] for k, name in enumerate(model.objectives)}  # type: ignore[misc]


def _pushed(
    rewards: Artifact, before: Sequence[Completion], after: Sequence[Completion], kl: Sequence[float] | None,
    cfg: Evaluate, seed: int,
) -> dict[str, Any] | None:  # fmt: skip
    """Return what choosing by the reward model does to its gold model's opinion, if it has one."""
    from caif.training.gold import pushed

    spent = sum(kl) / len(kl) if kl else None
    return pushed(rewards.model, [c for c in before if c.usable], after, spent, cfg.bootstrap, seed)


def best_of_n(completions: Sequence[Completion], heads: Sequence[Measure], n: int) -> list[Completion]:
    """Return each prompt's best of its first n answers by the sum of the standardised heads; [] without heads."""
    usable = [c for c in completions if c.usable and c.sample < n]
    if not heads or n < 2 or not usable:
        return []
    columns = [[head(c) for c in usable] for head in heads]
    totals = [sum(row) for row in zip(*map(_standard, columns), strict=True)]
    best: dict[str, tuple[float, Completion]] = {}
    for total, completion in zip(totals, usable, strict=True):
        if completion.prompt.id not in best or total > best[completion.prompt.id][0]:
            best[completion.prompt.id] = (total, completion)
    return [completion for _, completion in best.values()]


def _standard(column: Sequence[float]) -> list[float]:
    mean = sum(column) / len(column)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in column) / len(column)) or 1.0
    return [(x - mean) / deviation for x in column]


def _compared(sides: Sides, measure: Measure, cfg: Evaluate, seed: int) -> dict[str, Any]:
    table = {name: mean_by_prompt([(c.prompt.id, measure(c)) for c in side]) for name, side in sides.items() if side}
    return compare(table, cfg.bootstrap, seed)


def _kl(work: Work, start: Model, end: Model, answers: Sequence[Completion], temperature: float) -> list[float]:
    """Return one KL estimate a prompt, in nats a sequence: log p_policy - log p_start of the policy's own answers (k1).

    Both at the temperature that the answers were sampled at, or it would be the KL of no two distributions.
    """
    questions = [Question(c.prompt.id, c.prompt.chat, (c.text,), temperature) for c in answers]
    ends, starts = work.score(end, questions), work.score(start, questions)
    gaps = [(c.prompt.id, e.logprobs[0] - s.logprobs[0]) for c, e, s in zip(answers, ends, starts, strict=True)]
    return list(mean_by_prompt(gaps).values())


def _judged(
    bench: Bench, law: Constitution, before: Sequence[Completion], after: Sequence[Completion], seed: int
) -> list[Judgement]:
    """Compare the answers to a prompt, each with one from before, under one drawn principle an objective. The new is `a`."""
    old: dict[str, list[Completion]] = {}
    for completion in before:
        old.setdefault(completion.prompt.id, []).append(completion)
    pairs = [(c, old[c.prompt.id].pop(0)) for c in after if old.get(c.prompt.id)]
    asked = []
    for objective in law.objectives:
        serving = [p.id for p in law.principles if p.objective == objective]
        for new, start in pairs if serving else []:
            drawn = law.only(serving).draw(new.prompt, "evaluate", seed, objective)
            if drawn is not None:
                asked.append((Comparison(prompt=new.prompt, a=new.text, b=start.text), drawn))
    return judge_all(bench, asked, "evaluate")


def wins(judged: Sequence[Judgement], draws: int, seed: int) -> dict[str, Any]:
    """Return the policy's win rate per objective, ties one half, with an interval over prompts; failures are counted apart."""
    table: dict[str, Any] = {}
    for objective in sorted({j.objective for j in judged}):
        some = [j for j in judged if j.objective == objective]
        valid = [j for j in some if j.p_a is not None]
        row: dict[str, Any] = {"failed": len(some) - len(valid), "flipped": sum(bool(j.flipped) for j in valid)}
        if valid:
            won = [(j.comparison.prompt.id, 0.5 if j.verdict == "tie" else float(j.verdict == "a")) for j in valid]
            row |= interval(list(mean_by_prompt(won).values()), draws, seed)
        table[objective] = row
    return table
