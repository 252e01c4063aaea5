"""The AI labeler: compare sampled answers under principles, soft labels (Bai et al. 2022, section 4).

A judge, or a panel of them, in one wording or several. Each member's judgement is a row and each label names its judge,
so that where they disagree can be seen; a comparison weighs the same whatever the number of its labels.
"""

from collections.abc import Iterable, Iterator
from heapq import nsmallest
from itertools import combinations, groupby, islice
from pathlib import Path
from typing import Annotated

from pydantic import Field

from caif.config import Count, ModelSpec, Share
from caif.constitution import Constitution
from caif.data import Comparison, Completion, Rejected
from caif.hookspecs import Feedback, FeedbackContext, FeedbackSource
from caif.judge import DEAD_BAND, MIN_MASS, Bench, Method, Orders, Wording
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
    dead_band: Annotated[float, Field(ge=0, lt=0.5)] = DEAD_BAND,
) -> FeedbackSource:
    """Label pairs of samples, `limit` of them at most.

    `draw` says which principles judge a comparison: "one" drawn by weight, "balanced", so that each is used, or "all".
    `method` is how a verdict is read: "logprobs" of the options; "reasoned": the judge reasons first; "votes", for models
    without log-probabilities; and, for one answer at a time, "pointwise", "rubric", "score" and "likelihood".
    A probability within `dead_band` of one half is a tie, and so no label.
    `veto` is how sure a principle of higher authority must be to overrule others. `calibration` names what `caif audit`
    has fitted for these judges. Before anything is labelled each judge is asked what is known, and so it is now and then
    while it labels (`canaries`); one that fails stops the run, unless `selftest` is "warn" or "off".
    """
    judges = judge if isinstance(judge, tuple) else (judge,)
    fitted = calibration if isinstance(calibration, tuple) else (calibration,)

    def source(context: FeedbackContext) -> Iterator[Feedback]:
        law = context.constitution.only(principles)
        models = [context.model(spec) for spec in judges]
        panel = [
            Bench(
                model, context.ask, context.score, method, votes, min_mass, orders, clamp, not_applicable, wording,
                temperature(fitted, model.id, method, wording), dead_band,
            )
            for model in models for wording in wordings
        ]  # fmt: skip
        watches = [Watch(bench, law, context.source, context.seed, selftest, canaries) for bench in panel]
        for watch in watches:
            yield from watch.before()
        for watch in watches:  # one after the other: a model on this machine is loaded once for all that it is asked
            found = at_most(pair_up(context.samples, per_prompt), limit)
            rows = _chosen(found, law, draw, context)
            yield from _labels(watch, rows, veto, 1 / len(panel), first=watch is watches[0])

    return source


def pair_up(samples: Iterable[Completion], per_prompt: int) -> Iterator[Comparison | Rejected]:
    """Yield at most `per_prompt` comparisons of each prompt's different answers, and the samples of no use.

    The samples of a prompt stand together; no more than these are held.
    """
    for _, own in groupby(samples, key=lambda sample: sample.prompt.id):
        different: dict[str, Completion] = {}
        for sample in own:
            if not sample.usable:
                yield Rejected(where=sample.id, reason="sample without an answer", detail=sample.finish)
            elif (same := different.setdefault(sample.text, sample)) is not sample:
                yield Rejected(where=sample.id, reason="identical answers", detail=same.id)
        if len(different) == 1:
            yield from (Rejected(where=s.id, reason="no second answer to compare with") for s in different.values())
        for one, other in islice(combinations(different.values(), 2), per_prompt):
            yield Comparison(prompt=one.prompt, a=one.text, b=other.text)


def at_most(found: Iterable[Comparison | Rejected], limit: int | None) -> Iterator[Comparison | Rejected]:
    """Yield no more than so many comparisons: those whose ids come first, which no order of the samples decides."""
    if limit is None:
        yield from found
        return
    useless: list[Rejected] = []

    def comparisons() -> Iterator[Comparison]:
        for row in found:
            if isinstance(row, Comparison):
                yield row
            else:
                useless.append(row)

    few = nsmallest(limit, comparisons(), key=lambda comparison: comparison.id)
    yield from useless
    yield from few


def _chosen(
    found: Iterable[Comparison | Rejected], law: Constitution, draw: Choose, context: FeedbackContext
) -> Iterator[Chosen | Rejected]:
    """Yield the comparisons with their principles, and what is of no use.

    Where principles are balanced over all comparisons these are held all together, otherwise `PART` of them.
    """
    rows = iter(found)
    while some := list(islice(rows, None if draw == "balanced" else PART)):
        yield from (row for row in some if isinstance(row, Rejected))
        comparisons = [row for row in some if isinstance(row, Comparison)]
        chosen, without = choose(law, comparisons, draw, context.source, context.seed)
        yield from (Rejected(where=c.id, reason="no principle applies") for c in without)
        yield from chosen


def _labels(
    watch: Watch, rows: Iterable[Chosen | Rejected], veto: float, share: float, *, first: bool
) -> Iterator[Feedback]:
    """Yield every judgement of one member of the panel, and what it supports; the first one tells what is of no use."""
    for n, (part, useless) in enumerate(_parts(rows)):
        yield from useless if first else ()
        judged, tested = watch.judge_all([(c.comparison, c.principle) for c in part], n)
        yield from tested
        for c, judgement in zip(part, overrule(list(zip(part, judged, strict=True)), veto), strict=True):
            yield judgement
            if is_overruled(judgement):
                why = "overruled by a principle of higher authority"
                yield Rejected(where=c.comparison.id, reason=why, detail=c.principle.id)
            else:
                yield from preference(judgement, share * c.share)


def _parts(rows: Iterable[Chosen | Rejected]) -> Iterator[tuple[list[Chosen], list[Rejected]]]:
    """Yield about `PART` rows at a time, with all that is asked of one comparison together."""
    part: list[Chosen] = []
    useless: list[Rejected] = []
    for row in rows:
        if isinstance(row, Rejected):
            useless.append(row)
            continue
        if len(part) + len(useless) >= PART and not (part and part[-1].comparison.id == row.comparison.id):
            yield part, useless
            part, useless = [], []
        part.append(row)
    if part or useless:
        yield part, useless
