"""An answer to the prompt against an answer to another prompt: which of the two is about the question needs no judge.

Without such pairs nothing tells a reward model that an answer has to do with its prompt: where most rejected answers are
the plainer ones, as first drafts and answers against a principle are, one learns the contrary, and a policy that is
reinforced against it answers every question alike. The reward model's card counts it.

Prompts lend each other answers in twos, and each row says from which prompt its rejected answer is. So [combine] can keep
both on one side of the split: no answer to a held-out prompt is learned from.
"""

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from statistics import fmean
from typing import Annotated, NamedTuple

from pydantic import Field

from caif.config import Count
from caif.data import Completion, Origin, Preference, Prompt, Rejected
from caif.hookspecs import Feedback, FeedbackContext, FeedbackSource
from caif.text import apart, refuses, spoken, topics

REACH = 50
"""Among how many prompts, those with answers nearest in length, one is sought that asks for something else."""


class Said(NamedTuple):
    """An answer, the row it is from, its prompt, and what each of the two names."""

    where: str
    prompt: Prompt
    text: str
    asked: set[str]
    named: set[str]

    @classmethod
    def to(cls, prompt: Prompt, text: str, where: str = "") -> "Said":
        """Return what is to be known of an answer to a prompt."""
        return cls(where, prompt, text, topics(spoken(prompt.chat)), topics(text))


def stranger(own: Said, others: Iterable[Said]) -> Said | None:
    """Return the answer nearest in length to a prompt's own, of those to prompts about something else that do not name it.

    Of a prompt, or an answer, that names nothing it cannot be known what it is about.
    """
    fit = [one for one in others if apart(own.asked, one.asked) and apart(own.asked, one.named)]
    return min(fit, key=lambda one: (abs(len(one.text) - len(own.text)), one.text), default=None)


def mismatch(
    *,
    principles: Annotated[tuple[str, ...], Field(min_length=1)],
    probability: Annotated[float, Field(gt=0.5, le=1)] = 0.95,
    unsafe: tuple[str, ...] = ("unsafe",),
    limit: Count | None = None,
) -> FeedbackSource:
    """Pair each sampled answer to a training prompt with one to another prompt, nearest in length; `limit` pairs at most.

    `principles` are those that ask for an answer to the question. Refusals fit any prompt, and no answer to a prompt with
    one of the tags `unsafe` should be chosen, so neither are used.
    """

    def source(context: FeedbackContext) -> Iterator[Feedback]:
        law = context.constitution.only(principles)
        answers = yield from _answers(context.samples, unsafe)
        lent = _lent(answers)
        made = 0
        for own in answers:
            if made == limit:
                return
            principle = law.draw(own.prompt, context.source, context.seed)
            other = stranger(own, lent.get(own.prompt.opening, ()))
            if principle is None:
                yield Rejected(where=own.where, reason="no principle applies")
            elif own.prompt.opening not in lent:
                yield Rejected(where=own.where, reason="no prompt left that asks for something else")
            elif other is None:
                yield Rejected(where=own.where, reason="every answer to the other prompt names what this one asks for")
            else:
                made += 1
                yield Preference(
                    prompt=own.prompt, chosen=own.text, rejected=other.text, probability=probability,
                    objective=principle.objective, principle=principle.id, source=context.source, rater="construction",
                    origin=Origin(law=principle.digest, borrowed=other.prompt.id),
                )  # fmt: skip

    return source


def _answers(samples: Iterable[Completion], unsafe: Collection[str]) -> Generator[Rejected, None, list[Said]]:
    """Return the answers that can be used, each once to a prompt; yield the others with the reason."""
    found: dict[tuple[str, str], Said] = {}
    for sample in sorted((s for s in samples if s.prompt.split == "train"), key=lambda sample: sample.id):
        if why := _unusable(sample, unsafe, again=(sample.prompt.id, sample.text) in found):
            yield Rejected(where=sample.id, reason=why)
        else:
            found[sample.prompt.id, sample.text] = Said.to(sample.prompt, sample.text, sample.id)
    return list(found.values())


def _unusable(sample: Completion, unsafe: Collection[str], *, again: bool) -> str:
    if not sample.usable:
        return "sample without an answer"
    if {*unsafe} & {*sample.prompt.tags}:
        return "an answer to an unsafe prompt"
    if refuses(sample.text):
        return "a refusal"
    return "the same answer again" if again else ""


def _lent(answers: Sequence[Said]) -> dict[str, list[Said]]:
    """Return by opening what the other opening of its two lends; one that has no other is not there.

    An opening, since [combine] keeps all conversations that begin so on one side.
    """
    by_opening: dict[str, list[Said]] = {}
    for one in answers:
        by_opening.setdefault(one.prompt.opening, []).append(one)
    lengths = {opening: fmean(len(one.text) for one in some) for opening, some in by_opening.items()}
    waiting = sorted(by_opening, key=lambda opening: (lengths[opening], opening))
    lent: dict[str, list[Said]] = {}
    while waiting:
        some = by_opening[waiting.pop(0)]
        near = (n for n, name in enumerate(waiting[:REACH]) if apart(some[0].asked, by_opening[name][0].asked))
        if (place := next(near, None)) is not None:
            others = by_opening[waiting.pop(place)]
            for mine, theirs in ((some, others), (others, some)):
                own = {one.text for one in mine}
                lent[mine[0].prompt.opening] = [one for one in theirs if one.text not in own]
    return lent
