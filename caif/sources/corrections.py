"""Thumbs down that say why, or what would have been better: a revision of the disliked answer, where the labeler agrees.

The user's reason takes the critique's place and the reviser answers it; the user's own correction takes the revision's.
Either is preferred to the disliked answer only if the judge says so in both orders: a person may be wrong about an
answer, and a reviser about a person (METHODS 4.7).
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from caif.config import Count, ModelSpec, Share, Weight
from caif.constitution import Constitution, Principle
from caif.critic import critique_messages, fault, revision_messages
from caif.data import Comparison, Judgement, Preference, Rating, Rejected
from caif.hookspecs import Answer, Feedback, FeedbackContext, FeedbackSource, Params, Request
from caif.judge import MIN_MASS, Bench, Method, judge_all
from caif.judge.watch import Selftest, Watch
from caif.sources.labels import preference
from caif.sources.thumbs import imported


class Complaint(NamedTuple):
    """A thumb down with the principle it is heard under."""

    thumb: Rating
    principle: Principle


def corrections(
    path: Path,
    *,
    judge: ModelSpec,
    model: ModelSpec | None = None,
    format: str = "caif",
    objective: str = "helpfulness",
    weight: float = 1.0,
    reader: dict[str, Any] | None = None,
    principles: tuple[str, ...] = (),
    limit: Count | None = None,
    temperature: Weight = 1.0,
    max_tokens: Count = 256,
    max_growth: float = 4.0,
    method: Method = "logprobs",
    min_mass: Share = MIN_MASS,
    selftest: Selftest = "stop",
) -> FeedbackSource:
    """Take the thumbs down of an export that have a reason or a correction; the export is read as `thumbs` reads it.

    `model` revises where there is a reason alone; without it only corrections are used. The principle is drawn among
    `principles` of the thumb's own objective. A revision longer than `max_growth` times the answer is not taken over.
    """
    thumbs = imported(Rating, path, format, {"objective": objective, **(reader or {})}, weight=weight)

    def source(context: FeedbackContext) -> Iterator[Feedback]:
        law = context.constitution.only(principles)
        complaints: list[Complaint] = []
        for row in thumbs(context):
            found = _complaint(row, law, context, revises=model is not None) if isinstance(row, Rating) else row
            if isinstance(found, Complaint):
                complaints.append(found)
            else:
                yield found
        complaints.sort(key=lambda complaint: complaint.thumb.id)
        complaints = complaints[:limit]
        answers = _revised(complaints, context, model, Params(temperature, max_tokens))
        asked: list[tuple[Complaint, Comparison]] = []
        for complaint, answer in zip(complaints, answers, strict=True):
            thumb = complaint.thumb
            if why := _why_not(thumb, answer, max_growth):
                yield Rejected(where=thumb.origin.raw or thumb.id, reason=why)
            else:
                asked.append((complaint, Comparison(prompt=thumb.prompt, a=answer.text, b=thumb.completion)))
        bench = Bench(context.model(judge), context.ask, context.score, method, min_mass=min_mass)
        yield from Watch(bench, context.constitution, context.source, context.seed, selftest).before()
        judged = judge_all(bench, [(comparison, c.principle) for c, comparison in asked], context.source)
        for (complaint, _), judgement in zip(asked, judged, strict=True):
            yield judgement
            yield from _labels(complaint.thumb, judgement)

    return source


def _complaint(thumb: Rating, law: Constitution, context: FeedbackContext, *, revises: bool) -> Complaint | Rejected:
    """Return the thumb under a principle of its objective, or why it is of no use here."""
    where = thumb.origin.raw or thumb.id
    if thumb.up:
        return Rejected(where=where, reason="a thumb up")
    if not thumb.reason.strip() and not thumb.correction.strip():
        return Rejected(where=where, reason="a thumb down without reason or correction")
    if not thumb.correction.strip() and not revises:
        return Rejected(where=where, reason="a reason alone, and no model to revise")
    fit = [p for p in law.order(thumb.prompt, context.source, context.seed) if p.objective == thumb.objective]
    if not fit:
        return Rejected(where=where, reason="no principle of its objective applies", detail=thumb.objective)
    return Complaint(thumb, fit[0])


def _revised(
    complaints: Sequence[Complaint], context: FeedbackContext, model: ModelSpec | None, params: Params
) -> list[Answer]:
    """Return each user's correction as it is, and where there is none the answer to their reason."""
    answers = {n: Answer(c.thumb.correction, "stop") for n, c in enumerate(complaints) if c.thumb.correction.strip()}
    reasons = [n for n in range(len(complaints)) if n not in answers]
    if reasons and model is not None:
        requests = [Request(complaints[n].thumb.id, talk(*complaints[n])) for n in reasons]
        answers |= dict(zip(reasons, context.ask(context.model(model), requests, params), strict=True))
    return [answers[n] for n in range(len(complaints))]


def talk(thumb: Rating, principle: Principle) -> list[dict[str, str]]:
    """Return the conversation that asks for a revision, with the user's reason as the critique."""
    asked = critique_messages(thumb.prompt, thumb.completion, principle, may_end=False)
    return revision_messages(asked, thumb.reason, principle)


def _why_not(thumb: Rating, answer: Answer, max_growth: float) -> str:
    """Return why there is nothing to compare, or ""."""
    if answer.failed:
        return f"the model gave no answer ({answer.finish})"
    if why := fault(thumb.completion, answer.text, math.inf if thumb.correction.strip() else max_growth):
        return f"the correction: {why}" if thumb.correction.strip() else f"the revision: {why}"
    return "the revision: cut off at the token limit" if answer.finish == "length" else ""


def _labels(thumb: Rating, judgement: Judgement) -> Iterator[Preference | Rejected]:
    """Yield the preference for the revision, in the name of the thumb's record, if the judge agrees in both orders."""
    where = thumb.origin.raw or thumb.id
    if judgement.verdict == "b":
        yield Rejected(where=where, reason="the labeler prefers the disliked answer", detail=judgement.principle)
    elif judgement.flipped:
        yield Rejected(where=where, reason="the labeler's orders differ", detail=judgement.principle)
    else:
        for row in preference(judgement, thumb.weight):
            if isinstance(row, Preference):
                record = {"raw": thumb.origin.raw, "at": thumb.origin.at, "conversation": thumb.origin.conversation}
                yield row.but(origin=row.origin.model_copy(update=record))
            else:
                yield row
