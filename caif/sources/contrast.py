"""Contrast pairs (RLCD, Yang et al., 2307.12950): one answer sampled under a principle, one without it or against it.

The label comes from how the answers were made, not from a judge, so it works where small judges are at chance. It is
only as good as the model's obedience; `probability` says how far it is trusted. A judge's opinion beside it, where one
is named, is kept as a judgement for the report and changes no label; `verify` keeps only the pairs that the judge
confirms.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from caif.config import Count, ModelSpec, Weight
from caif.constitution import Principle
from caif.data import Comparison, Judgement, Origin, Preference, Prompt, Rejected
from caif.errors import CaifError
from caif.hookspecs import Answer, Feedback, FeedbackContext, FeedbackSource, Model, Params, Request
from caif.judge import Bench, Method, judge_all
from caif.judge.bench import spent
from caif.judge.watch import Selftest, Watch

Pair = tuple[Prompt, Principle]


def contrast(
    *,
    model: ModelSpec,
    principles: tuple[str, ...] = (),
    probability: Annotated[float, Field(gt=0.5, le=1)] = 0.9,
    temperature: Weight = 1.0,
    max_tokens: Count = 256,
    judge: ModelSpec | None = None,
    method: Method = "logprobs",
    verify: bool = False,
    selftest: Selftest = "stop",
) -> FeedbackSource:
    """Sample both answers for every training prompt, a principle drawn for each."""
    if verify and judge is None:
        raise CaifError("contrast: verify needs a judge", "name one: judge = …")

    def source(context: FeedbackContext) -> Iterator[Feedback]:
        law = context.constitution.only(principles)
        pairs: list[Pair] = []
        for prompt in context.prompts:
            principle = law.draw(prompt, context.source, context.seed)
            if principle is None or not principle.instruct:
                yield Rejected(where=prompt.id, reason="no principle with an instruct applies")
            else:
                pairs.append((prompt, principle))
        talks = [prompt.under(principle.instruct) for prompt, principle in pairs]
        talks += [prompt.under(principle.oppose) for prompt, principle in pairs]
        requests = [Request(prompt.id, talk) for (prompt, _), talk in zip(pairs * 2, talks, strict=True)]
        author = context.model(model)
        answers = context.ask(author, requests, Params(temperature, max_tokens))
        made: list[tuple[Comparison, Principle]] = []
        origins: list[Origin] = []
        for (prompt, principle), good, bad in zip(pairs, answers[: len(pairs)], answers[len(pairs) :], strict=True):
            if why := _unusable(good, bad):
                yield Rejected(where=prompt.id, reason=why)
            else:
                made.append((Comparison(prompt=prompt, a=good.text, b=bad.text), principle))
                origins.append(_origin(author, principle, [good, bad]))
        checks: Sequence[Judgement | None] = [None] * len(made)
        if judge is not None:
            bench = Bench(context.model(judge), context.ask, context.score, method)
            yield from Watch(bench, law, context.source, context.seed, selftest).before()
            checks = judge_all(bench, made, context.source)
            yield from (check for check in checks if check is not None)
        for (comparison, principle), origin, check in zip(made, origins, checks, strict=True):
            if verify and (why := _unconfirmed(check)):
                yield Rejected(where=comparison.id, reason=why, detail=principle.id)
                continue
            yield Preference(
                prompt=comparison.prompt, chosen=comparison.a, rejected=comparison.b, probability=probability,
                objective=principle.objective, principle=principle.id, source=context.source, rater="construction",
                origin=origin,
            )  # fmt: skip

    return source


def _origin(author: Model, principle: Principle, answers: Sequence[Answer]) -> Origin:
    """Return how a pair came about: by which wording, when, and for what."""
    cost = spent(answers)
    return Origin(law=principle.digest, **cost, price=author.price(cost["tokens_in"], cost["tokens_out"]))


def _unusable(good: Answer, bad: Answer) -> str:
    """Return why two answers make no pair, or ""."""
    if good.failed or bad.failed or not good.text.strip() or not bad.text.strip():
        return "sample without an answer"
    return "identical answers" if good.text == bad.text else ""


def _unconfirmed(check: Judgement | None) -> str:
    """Return why a check does not confirm a pair, or "". An answer that tries to steer the judge proves nothing."""
    if check is None or check.suspected_injection:
        return "suspected injection"
    return {"a": "", "b": "the judge disagrees"}.get(check.verdict, f"the judge does not confirm it: {check.verdict}")
