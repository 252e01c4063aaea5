"""How much each stage asks of which model: calls at most, and what one call reads and may write."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import comb
from typing import Any, NamedTuple

from caif.config import Coverage, Evaluate, Generate, ModelSpec, Prompts, Revise, Rl, Source
from caif.constitution import Constitution, Principle, read
from caif.data import Prompt, split_of
from caif.judge import pairs, wording
from caif.judge.bench import TIMES
from caif.judge.selftest import probes
from caif.models.pace import CHARACTERS
from caif.plan import Step, models
from caif.run import Run

NO_CALLS = ("constitution", "prompts", "sft", "combine", "reward", "rl", "rloo", "dpo", "kto", "chosen", "soup", "report")


class Load(NamedTuple):
    """Calls at most to one model (None: the tuned one), and the tokens that one of them reads and may write."""

    calls: int
    tokens_in: float
    tokens_out: float
    model: ModelSpec | None


class Sizes(NamedTuple):
    """How many prompts there are, how long they and the principles are in tokens, and how many answers are sampled."""

    train: int
    heldout: int
    prompt: float
    principle: float
    sampled: int
    samples: int
    answer: float


def loads(run: Run, planned: Sequence[Step]) -> Iterator[list[Load] | None]:
    """Yield what each stage asks; [] of one that is done, None where only the stage itself knows."""
    law = read(run.config.constitution)
    sizes = _sizes(run, planned, law)
    for step in planned:
        yield [] if step.state == "done" else _loads(run, step, sizes, law)


def _sizes(run: Run, planned: Sequence[Step], law: Constitution) -> Sizes:
    prompts: dict[str, Prompt] = {}
    step = next((step for step in planned if isinstance(step.cfg, Prompts)), None)
    if step and step.state == "done":
        prompts = {prompt.id: prompt for prompt in step.artifact.rows(Prompt)}
    elif step:
        source = run.plugins.make("caif_prompts", step.cfg.use, step.cfg.options, run.base)
        given = [row for row in source() if isinstance(row, Prompt)]
        splits = {row.id: split_of(row, step.cfg.heldout, run.config.seed) for row in given}
        prompts = {row.id: row.model_copy(update={"split": splits[row.id]}) for row in given}
    heldout = sum(prompt.split == "heldout" for prompt in prompts.values())
    sample, generate = run.config.sample, run.config.generate
    return Sizes(
        len(prompts) - heldout,
        heldout,
        _mean([sum(len(m.content) for m in prompt.messages) for prompt in prompts.values()]) / CHARACTERS,
        _mean([_longest(principle) for principle in law.principles]) / CHARACTERS,
        _asked(sample, len(prompts), heldout) if sample else 0,
        sample.samples if sample else 0,
        (sample or generate).max_tokens if sample or generate else 256,  # type: ignore[union-attr]
    )


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


def _longest(principle: Principle) -> int:
    return max(map(len, (principle.compare, principle.critique, principle.revision)))


def _asked(cfg: Generate, prompts: int, heldout: int) -> int:
    return prompts if cfg.prompts == "all" else prompts - heldout


def _loads(run: Run, step: Step, sizes: Sizes, law: Constitution) -> list[Load] | None:
    cfg = step.cfg
    if isinstance(cfg, Generate):
        into = sizes.prompt + len(cfg.system) / CHARACTERS
        return [Load(cfg.samples * _asked(cfg, sizes.train + sizes.heldout, sizes.heldout), into, cfg.max_tokens, cfg.model)]
    if isinstance(cfg, Revise):
        calls, into = cfg.turns * sizes.train, sizes.prompt + sizes.answer + sizes.principle
        critiques = [Load(calls, into, cfg.critique_tokens, cfg.model)] if cfg.critique else []
        return [*critiques, Load(calls, into + cfg.critique_tokens * cfg.critique, cfg.max_tokens, cfg.model)]
    if isinstance(cfg, Source):
        return _source(run, cfg, sizes, law)
    if isinstance(cfg, Coverage):
        return [Load(min(cfg.answers, sizes.train), sizes.prompt, cfg.max_tokens, cfg.model)]
    if isinstance(cfg, Evaluate):
        answers = sizes.heldout * (max(cfg.samples, cfg.best_of) + cfg.samples)
        asked = [Load(answers, sizes.prompt, cfg.max_tokens, cfg.model),
                 Load(2 * sizes.heldout * cfg.samples, sizes.prompt + cfg.max_tokens, 0, cfg.model)]  # fmt: skip
        return [*asked, *_judged(2 * sizes.heldout * cfg.samples * len(law.objectives), 1, cfg.judge, sizes, 2 * cfg.max_tokens)]
    if isinstance(cfg, Rl) and step.by == "rl":  # what is asked beside the rewards: both orders, now and then
        looks = cfg.steps // cfg.guards.every * min(cfg.guards.sample, sizes.train)
        return _judged(2 * looks, 1, cfg.judge, sizes, 2 * cfg.max_tokens)
    return [] if step.by in NO_CALLS else None


def _source(run: Run, cfg: Source, sizes: Sizes, law: Constitution) -> list[Load] | None:
    factory = run.plugins.factories("caif_feedback_sources")[cfg.use]
    options = {name: p.default for name, p in inspect.signature(factory).parameters.items()} | dict(cfg.options)
    named, seed = models(run, cfg), run.config.seed
    if "path" in options and not named:
        return []
    estimates: dict[str, Callable[[], list[Load]]] = {
        "ai-labeler": lambda: _labels(options, named, sizes, law, seed),
        "critique-revise": lambda: _compared(_within(sizes.train, options), options, named, sizes, law, seed),
        "contrast": lambda: _contrasts(options, sizes, law, named, seed),
        "refusal": lambda: _refusals(options, named, sizes, law, seed),
        "mismatch": list,
    }
    return estimates[cfg.use]() if cfg.use in estimates else None


def _within(comparisons: int, options: Mapping[str, Any]) -> int:
    return min(comparisons, options["limit"] or comparisons)


def _labels(
    options: Mapping[str, Any], judges: Sequence[ModelSpec], sizes: Sizes, law: Constitution, seed: int
) -> list[Load]:
    law = law.only(tuple(options["principles"]))
    comparisons = _within(sizes.sampled * min(options["per_prompt"], comb(sizes.samples, 2)), options)
    if options["draw"] == "all":
        comparisons *= len(law.principles)
    if comparisons and options["selftest"] != "off":
        comparisons += options["canaries"]
    each = _compared(comparisons, options, judges, sizes, law, seed)
    return [load._replace(calls=load.calls * len(options["wordings"])) for load in each]


def _refusals(
    options: Mapping[str, Any], judges: Sequence[ModelSpec], sizes: Sizes, law: Constitution, seed: int
) -> list[Load]:
    """Return what is asked of single answers, and the test before it, which shows pairs' answers one at a time."""
    if not judges or not sizes.sampled:
        return []
    tested = 2 * len(probes(law, seed)) if options["selftest"] != "off" else 0
    return _judged(sizes.sampled + tested, 1, judges[0], sizes, sizes.answer)


def _contrasts(
    options: Mapping[str, Any], sizes: Sizes, law: Constitution, named: Sequence[ModelSpec], seed: int
) -> list[Load]:
    model, *judge = named
    made = Load(2 * sizes.train, sizes.prompt + sizes.principle, options["max_tokens"], model)
    return [made, *_compared(sizes.train, options, judge, sizes, law, seed)]


def _compared(
    comparisons: int, options: Mapping[str, Any], judges: Sequence[ModelSpec], sizes: Sizes, law: Constitution, seed: int
) -> list[Load]:
    """Return what judging comparisons asks of each judge, by the method that its source names, its test before included."""
    if comparisons and options["selftest"] != "off":
        comparisons += len(probes(law, seed))
    method = options.get("method", "logprobs")
    times = options.get("votes") or TIMES.get(method, 1)
    judged_by = [*law.principles, *(probe.principle for probe in probes(law, seed))]  # the test's own rubric may be longer
    checks = max(len(p.checks) for p in judged_by)
    found = []
    for judge in judges:
        calls, out = {"votes": (times, pairs.LETTER_TOKENS), "rubric": (checks, 1), "likelihood": (2, 0)}.get(method, (1, 1))
        if method == "reasoned":
            found += _judged(2 * comparisons * times, 1, judge, sizes, 2 * sizes.answer, pairs.REASON_TOKENS)
            calls = times
        found += _judged(2 * comparisons, calls, judge, sizes, 2 * sizes.answer, out)
    return found


def _judged(
    shown: int, calls: int, judge: ModelSpec | None, sizes: Sizes, answers: float, tokens_out: float = 1
) -> list[Load]:
    """Return what asking a judge so often takes, with so many tokens of answers in each question."""
    into = sizes.prompt + answers + sizes.principle + len(wording.RULES + wording.REPLY) / CHARACTERS
    return [Load(shown * calls, into, tokens_out, judge)] if judge is not None else []
