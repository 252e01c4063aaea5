"""The AI labeler: compare sampled answers, one drawn principle a comparison, soft labels (Bai et al. 2022, section 4)."""

from collections.abc import Iterator, Sequence
from itertools import combinations, islice

from caif.config import Count, ModelSpec, Share
from caif.data import Comparison, Completion, Rejected
from caif.hookspecs import Feedback, FeedbackContext, FeedbackSource
from caif.judge import MIN_MASS, Bench, Method, judge_all
from caif.sources.labels import preference


def ai_labeler(
    *,
    judge: ModelSpec,
    method: Method = "logprobs",
    principles: tuple[str, ...] = (),
    per_prompt: Count = 4,
    limit: Count | None = None,
    votes: Count = 4,
    min_mass: Share = MIN_MASS,
) -> FeedbackSource:
    """Label pairs of samples, `limit` of them at most.

    `method = "votes"` is the declared fallback for models without log-probabilities.
    """

    def source(context: FeedbackContext) -> Iterator[Feedback]:
        law = context.constitution.only(principles)
        comparisons, useless = pair_up(context.samples, per_prompt)
        yield from useless
        drawn = [(c, law.draw(c.prompt, context.source, context.seed, *sorted((c.a, c.b)))) for c in comparisons]
        yield from (Rejected(where=c.id, reason="no principle applies") for c, p in drawn if p is None)
        asked = sorted(((c, p) for c, p in drawn if p is not None), key=lambda pair: pair[0].id)[:limit]
        bench = Bench(context.model(judge), context.ask, context.score, method, votes, min_mass)
        for judgement in judge_all(bench, asked, context.source):
            yield judgement
            yield from preference(judgement)

    return source


def pair_up(samples: Sequence[Completion], per_prompt: int) -> tuple[list[Comparison], list[Rejected]]:
    """Return at most `per_prompt` comparisons of each prompt's different answers, and the samples of no use."""
    answers: dict[str, dict[str, Completion]] = {}
    useless: list[Rejected] = []
    for sample in samples:
        several = answers.setdefault(sample.prompt.id, {})
        if not sample.usable:
            useless.append(Rejected(where=sample.id, reason="sample without an answer", detail=sample.finish))
        elif several.setdefault(sample.text, sample) is not sample:
            useless.append(Rejected(where=sample.id, reason="identical answers", detail=several[sample.text].id))
    comparisons = []
    for several in answers.values():
        if len(several) == 1:
            useless += [Rejected(where=sample.id, reason="no second answer to compare with") for sample in several.values()]
        for one, other in islice(combinations(several.values(), 2), per_prompt):
            comparisons.append(Comparison(prompt=one.prompt, a=one.text, b=other.text))
    return comparisons, useless
