"""The AI labeler: compare sampled answers under principles, soft labels (Bai et al. 2022, section 4).

A judge, or a panel of them, in one wording or several. Each member's judgement is a row and each label names its judge,
so that where they disagree can be seen; a comparison weighs the same whatever the number of its labels.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, groupby, islice
from pathlib import Path
from typing import Annotated

from pydantic import Field

from caif.config import Count, ModelSpec, Share
from caif.data import Comparison, Completion, Rejected
from caif.hookspecs import Feedback, FeedbackContext, FeedbackSource
from caif.judge import MIN_MASS, Bench, Method, Orders, Wording
from caif.judge.temperature import temperature
from caif.judge.watch import Selftest, Watch
from caif.sources.choosing import Choose, Chosen, choose, is_overruled, overrule
from caif.sources.labels import preference

PART = 2000
"""How many rows a judge is asked about at once, so that not all questions and verdicts are held together."""
Above = Annotated[float, Field(gt=0.5, le=1)]


def ai_labeler(
    *,
    judge: ModelSpec | tuple[ModelSpec, ...],
    method: Method = "logprobs",
    principles: tuple[str, ...] = (),
    draw: Choose = "one",
    per_prompt: Count = 4,
    limit: Count | None = None,
    votes: Count | None = None,
    min_mass: Share = MIN_MASS,
    orders: Orders = "mean_logit",
    clamp: Above | None = None,
    not_applicable: bool = False,
    wordings: tuple[Wording, ...] = ("paper",),
    calibration: tuple[Path, ...] | Path = (),
    veto: Above = 0.75,
    selftest: Selftest = "stop",
    canaries: Annotated[int, Field(ge=0)] = 4,
) -> FeedbackSource:
    """Label pairs of samples, `limit` of them at most.

    `draw` says which principles judge a comparison: "one" drawn by weight, "balanced", so that each is used, or "all".
    `method` is how a verdict is read: "logprobs" of the options; "reasoned": the judge reasons first; "votes", for models
    without log-probabilities; and, for one answer at a time, "pointwise", "rubric", "score" and "likelihood".
    `veto` is how sure a principle of higher authority must be to overrule others. `calibration` names what `caif audit`
    has fitted for these judges. Before anything is labelled each judge is asked what is known, and so it is now and then
    while it labels (`canaries`); one that fails stops the run, unless `selftest` is "warn" or "off".
    """
    judges = judge if isinstance(judge, tuple) else (judge,)
    fitted = calibration if isinstance(calibration, tuple) else (calibration,)

    def source(context: FeedbackContext) -> Iterator[Feedback]:
        law = context.constitution.only(principles)
        comparisons, useless = pair_up(context.samples, per_prompt)
        yield from useless
        comparisons = sorted(comparisons, key=lambda c: c.id)[:limit]
        chosen, without = choose(law, comparisons, draw, context.source, context.seed)
        yield from (Rejected(where=c.id, reason="no principle applies") for c in without)
        models = [context.model(spec) for spec in judges]
        panel = [
            Bench(
                model, context.ask, context.score, method, votes, min_mass, orders, clamp, not_applicable, wording,
                temperature(fitted, model.id, method, wording),
            )
            for model in models for wording in wordings
        ]  # fmt: skip
        watches = [Watch(bench, law, context.source, context.seed, selftest, canaries) for bench in panel]
        for watch in watches:
            yield from watch.before()
        for watch in watches:
            yield from _labels(watch, chosen, veto, 1 / len(panel))

    return source


def _labels(watch: Watch, chosen: Sequence[Chosen], veto: float, share: float) -> Iterator[Feedback]:
    """Yield every judgement of one member of the panel, and what it supports, part by part."""
    for n, part in enumerate(_parts(chosen)):
        judged, tested = watch.judge_all([(c.comparison, c.principle) for c in part], n)
        yield from tested
        for c, judgement in zip(part, overrule(list(zip(part, judged, strict=True)), veto), strict=True):
            yield judgement
            if is_overruled(judgement):
                why = "overruled by a principle of higher authority"
                yield Rejected(where=c.comparison.id, reason=why, detail=c.principle.id)
            else:
                yield from preference(judgement, share * c.share)


def _parts(chosen: Sequence[Chosen]) -> Iterator[list[Chosen]]:
    """Yield about `PART` rows at a time, with all that is asked of one comparison together."""
    part: list[Chosen] = []
    for _, same in groupby(chosen, key=lambda c: c.comparison.id):
        if len(part) >= PART:
            yield part
            part = []
        part += same
    if part:
        yield part


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
