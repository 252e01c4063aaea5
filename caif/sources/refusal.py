"""Answer against refusal: on prompts that should be refused and, against evasion, on prompts that should not.

On unsafe prompts the refusal is chosen, and only where the judge, if there is one, finds the sampled answer bad by the
drawn principle. It is asked of that answer alone: beside any answer at all, a refusal would look harmless. On safe
prompts the same refusals are rejected against real answers, and `share` keeps refusals from being chosen more often
than they are rejected: a reward model that only ever sees refusals win learns that they are good everywhere (METHODS
9). How much the whole source may weigh in the data set is for `caps` and `weights` of [combine].
"""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from caif.config import Count, ModelSpec, Share
from caif.constitution import Principle
from caif.data import Comparison, Completion, Judgement, Origin, Preference, Rejected
from caif.hookspecs import Feedback, FeedbackContext, FeedbackSource
from caif.judge import MIN_MASS, Bench, judgement
from caif.judge.single import Item, approvals
from caif.judge.watch import Selftest, Watch
from caif.sources.labels import preference
from caif.sources.refusals import draw_refusal
from caif.text import refuses


class Pair(NamedTuple):
    """A refusal (a) and a real answer (b) to one prompt, under a principle."""

    comparison: Comparison
    principle: Principle


def refusal(
    *,
    judge: ModelSpec | None = None,
    tags: tuple[str, ...] = ("unsafe",),
    safe_tags: tuple[str, ...] = ("safe",),
    principles: tuple[str, ...] = (),
    probability: Annotated[float, Field(gt=0.5, le=1)] = 0.9,
    share: Share = 0.5,
    limit: Count | None = None,
    min_mass: Share = MIN_MASS,
    selftest: Selftest = "stop",
) -> FeedbackSource:
    """Pair a sampled answer of every tagged training prompt with a refusal, `limit` prompts of either kind at most.

    `share` of this source's pairs at most prefer the refusal. `principles` should be those that speak of harm.
    `probability` is of labels that come from the tags alone.
    """

    def source(context: FeedbackContext) -> Iterator[Feedback]:
        unsafe, safe, useless = _pairs(context, tags, safe_tags, principles)
        yield from useless
        kept = [_built(pair, context.source, probability, refused=False) for pair in _some(safe, limit)]
        yield from kept
        chosen: list[Preference] = []
        if judge is None:
            chosen = [_built(pair, context.source, probability, refused=True) for pair in _some(unsafe, limit)]
        else:
            bench = Bench(context.model(judge), context.ask, context.score, "pointwise", min_mass=min_mass)
            yield from Watch(bench, context.constitution, context.source, context.seed, selftest).before()
            for judged in judge_answers(bench, _some(unsafe, limit), context.source):
                yield judged
                if judged.verdict == "b":
                    yield Rejected(
                        where=judged.comparison.id, reason="the judge finds no harm", detail=judged.principle
                    )
                    continue
                for row in preference(judged):
                    if isinstance(row, Preference):
                        chosen.append(row)
                    else:
                        yield row
        allowed = most(share, len(kept), len(chosen))
        yield from chosen[:allowed]
        yield from (Rejected(where=row.id, reason="more refusals chosen than share allows") for row in chosen[allowed:])

    return source


def most(share: float, rejected: int, wanted: int) -> int:
    """Return how many of the wanted refusals may be chosen beside r that are rejected: c of c + r is `share` at most.

    For a share of one half these are as many as are rejected.
    """
    return wanted if share == 1 else min(wanted, math.floor(share * rejected / (1 - share) + 1e-9))


def judge_answers(bench: Bench, pairs: Sequence[Pair], source: str) -> list[Judgement]:
    """Ask whether each answer is a good one by its principle; the refusal is better as far as the answer is not.

    So the log-odds of a, the refusal, are those of No over Yes. There is one order only, as there is one answer.
    """
    found = approvals(bench, [Item(c.id, c.prompt, c.b, p) for c, p in pairs])
    outcomes = [(reading._replace(logit=0.0 - reading.logit), None) for reading in found]
    judged = [judgement(bench, *pair, source, outcome) for pair, outcome in zip(pairs, outcomes, strict=True)]
    return [row.but(resolution="the answer alone") for row in judged]


def _pairs(
    context: FeedbackContext, tags: Sequence[str], safe_tags: Sequence[str], principles: Sequence[str]
) -> tuple[list[Pair], list[Pair], list[Rejected]]:
    """Return the pairs of unsafe and of safe prompts, and the prompts that give none; others are not for it."""
    law = context.constitution.only(principles)
    unsafe: list[Pair] = []
    safe: list[Pair] = []
    useless: list[Rejected] = []
    for several in _by_prompt(context.samples):
        prompt = several[0].prompt
        is_unsafe, is_safe = bool(set(tags) & set(prompt.tags)), bool(set(safe_tags) & set(prompt.tags))
        if not is_unsafe and not is_safe:
            continue
        principle = law.draw(prompt, context.source, context.seed)
        answer = next((s.text for s in several if s.usable and not refuses(s.text)), None)
        if is_unsafe and is_safe:
            useless.append(Rejected(where=prompt.id, reason="tagged both safe and unsafe"))
        elif principle is None:
            useless.append(Rejected(where=prompt.id, reason="no principle applies"))
        elif answer is None:
            why = "every answer is a refusal" if any(s.usable for s in several) else "sample without an answer"
            useless.append(Rejected(where=prompt.id, reason=why))
        else:
            comparison = Comparison(prompt=prompt, a=draw_refusal(prompt, context.source, context.seed), b=answer)
            (unsafe if is_unsafe else safe).append(Pair(comparison, principle))
    return unsafe, safe, useless


def _by_prompt(samples: Sequence[Completion]) -> list[list[Completion]]:
    grouped: dict[str, list[Completion]] = {}
    for sample in samples:
        if sample.prompt.split == "train":
            grouped.setdefault(sample.prompt.id, []).append(sample)
    return list(grouped.values())


def _some(pairs: Sequence[Pair], limit: int | None) -> list[Pair]:
    """Return the pairs in an order that no file has: that of their digests."""
    return sorted(pairs, key=lambda pair: pair.comparison.id)[:limit]


def _built(pair: Pair, source: str, probability: float, *, refused: bool) -> Preference:
    no, answer = pair.comparison.a, pair.comparison.b
    return Preference(
        prompt=pair.comparison.prompt, chosen=no if refused else answer, rejected=answer if refused else no,
        probability=probability, objective=pair.principle.objective, principle=pair.principle.id, source=source,
        rater="construction", origin=Origin(law=pair.principle.digest),
    )  # fmt: skip
