"""The AI labeler: compare sampled answers, one drawn principle a comparison, soft labels (Bai et al. 2022, section 4)."""

from collections.abc import Iterator
from itertools import combinations

from caif.config import ModelSpec
from caif.data import Comparison, Completion, Rejected
from caif.hookspecs import Feedback, FeedbackContext, FeedbackSource
from caif.judge import Bench, Method, judge_all
from caif.sources.labels import preference


def ai_labeler(
    *,
    judge: ModelSpec,
    method: Method = "logprobs",
    principles: tuple[str, ...] = (),
    per_prompt: int = 4,
    limit: int | None = None,
    votes: int = 4,
    min_mass: float = 0.1,
) -> FeedbackSource:
    """Label pairs of samples, `limit` of them at most.

    `method = "votes"` is the declared fallback for models without log-probabilities.
    """

    def source(context: FeedbackContext) -> Iterator[Feedback]:
        law = context.constitution.only(principles)
        comparisons, useless = pair_up(context.samples, per_prompt)
        yield from useless
        drawn = [(c, law.draw(c.prompt, context.source, context.seed, *sorted((c.a, c.b)))) for c in comparisons]
        asked = sorted(((c, p) for c, p in drawn if p is not None), key=lambda pair: pair[0].id)[:limit]
        bench = Bench(context.model(judge), context.ask, context.score, method, votes, min_mass)
        for judgement in judge_all(bench, asked, context.source):
            yield judgement
            yield from preference(judgement)

    return source


def pair_up(samples: list[Completion], per_prompt: int) -> tuple[list[Comparison], list[Rejected]]:
    """Return at most `per_prompt` comparisons of each prompt's answers, and what could not be compared."""
    answers: dict[str, list[Completion]] = {}
    useless: list[Rejected] = []
    for sample in samples:
        if sample.usable:
            answers.setdefault(sample.prompt.id, []).append(sample)
        else:
            useless.append(Rejected(where=sample.id, reason="sample without an answer", detail=sample.finish))
    comparisons = []
    for several in answers.values():
        for one, other in list(combinations(several, 2))[:per_prompt]:
            if one.text == other.text:
                useless.append(Rejected(where=f"{one.id} {other.id}", reason="identical answers"))
            else:
                comparisons.append(Comparison(prompt=one.prompt, a=one.text, b=other.text))
    return comparisons, useless
