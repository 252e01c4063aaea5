"""Contrast pairs (RLCD, Yang et al., 2307.12950): one answer sampled under a principle, one without it or against it.

The label comes from how the answers were made, not from a judge, so it works where small judges are at chance. It is only
as good as the model's obedience; `probability` says how far it is trusted, and a judge's opinion beside it, where one is
named, is kept as a judgement for the report without changing the label.
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from caif.config import Count, ModelSpec, Weight
from caif.data import Comparison, Preference, Rejected
from caif.hookspecs import Feedback, FeedbackContext, FeedbackSource, Params, Request
from caif.judge import Bench, judge_all


def contrast(
    *,
    model: ModelSpec,
    principles: tuple[str, ...] = (),
    probability: Annotated[float, Field(gt=0.5, le=1)] = 0.9,
    temperature: Weight = 1.0,
    max_tokens: Count = 256,
    judge: ModelSpec | None = None,
) -> FeedbackSource:
    """Sample both answers for every training prompt, a principle drawn for each."""

    def source(context: FeedbackContext) -> Iterator[Feedback]:
        law = context.constitution.only(principles)
        drawn = [(prompt, law.draw(prompt, context.source, context.seed)) for prompt in context.prompts]
        pairs = [(prompt, principle) for prompt, principle in drawn if principle is not None and principle.instruct]
        without = [prompt for prompt, principle in drawn if principle is None or not principle.instruct]
        yield from (Rejected(where=prompt.id, reason="no principle with an instruct applies") for prompt in without)
        talks = [prompt.under(principle.instruct) for prompt, principle in pairs]
        talks += [prompt.under(principle.oppose) for prompt, principle in pairs]
        requests = [Request(prompt.id, talk) for (prompt, _), talk in zip(pairs * 2, talks, strict=True)]
        answers = context.ask(context.model(model), requests, Params(temperature, max_tokens))
        asked = []
        for (prompt, principle), good, bad in zip(pairs, answers[: len(pairs)], answers[len(pairs) :], strict=True):
            if good.failed or bad.failed or not good.text or not bad.text:
                yield Rejected(where=prompt.id, reason="sample without an answer")
            elif good.text == bad.text:
                yield Rejected(where=prompt.id, reason="identical answers")
            else:
                asked.append((Comparison(prompt=prompt, a=good.text, b=bad.text), principle))
                yield Preference(
                    prompt=prompt, chosen=good.text, rejected=bad.text, probability=probability,
                    objective=principle.objective, principle=principle.id, source=context.source, rater="construction",
                )  # fmt: skip
        if judge is not None:
            yield from judge_all(Bench(context.model(judge), context.ask, context.score), asked, context.source)

    return source

