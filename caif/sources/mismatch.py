"""An answer to the prompt against an answer to another prompt: which of the two is about the question needs no judge.

Without such pairs nothing tells a reward model that an answer has to do with its prompt: where most rejected answers are
the plainer ones, as first drafts and answers against a principle are, one learns the contrary, and a policy that is
reinforced against it answers every question alike. The reward model's card counts it.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Annotated, NamedTuple

from pydantic import Field

from caif.config import Count
from caif.content import rng
from caif.data import Origin, Preference, Prompt, Rejected
from caif.hookspecs import Feedback, FeedbackContext, FeedbackSource
from caif.text import spoken, topics


TRIES = 50
"""How many answers are drawn before a prompt is left without one to another prompt."""


class Said(NamedTuple):
    """An answer, how its conversation opens, and what both name."""

    opening: str
    text: str
    named: set[str]

    @classmethod
    def to(cls, prompt: Prompt, text: str) -> "Said":
        """Return what is to be known of an answer to a prompt."""
        return cls(prompt.opening, text, topics(f"{spoken(prompt.chat)}\n{text}"))


def elsewhere(prompt: Prompt, own: Collection[str], said: Iterable[Said]) -> Iterator[Said]:
    """Yield the answers to prompts about something else: neither they nor their prompts name what this prompt names.

    None are among a prompt's `own` answers. Of a prompt that names nothing it cannot be known which are about something else.
    """
    if named := topics(spoken(prompt.chat)):
        others = (one for one in said if one.opening != prompt.opening and one.text not in own)
        yield from (one for one in others if not named & one.named)


def mismatch(
    *,
    principles: tuple[str, ...] = (),
    probability: Annotated[float, Field(gt=0.5, le=1)] = 0.95,
    limit: Count | None = None,
) -> FeedbackSource:
    """Pair each sampled answer to a training prompt with one to another prompt, drawn; `limit` pairs at most.

    `principles` should be those that ask for an answer to the question.
    """

    def source(context: FeedbackContext) -> Iterator[Feedback]:
        law = context.constitution.only(principles)
        samples = sorted((s for s in context.samples if s.prompt.split == "train"), key=lambda sample: sample.id)
        yield from (Rejected(where=s.id, reason="sample without an answer") for s in samples if not s.usable)
        answers = [sample for sample in samples if sample.usable]
        said = [Said.to(sample.prompt, sample.text) for sample in answers]
        made = 0
        for sample in answers:
            if made == limit:
                return
            principle = law.draw(sample.prompt, context.source, context.seed)
            drawing = rng(context.source, context.seed, sample.id)
            drawn = (drawing.choice(said) for _ in range(TRIES))
            other = next(elsewhere(sample.prompt, {sample.text}, drawn), None)
            if principle is None:
                yield Rejected(where=sample.id, reason="no principle applies")
            elif other is None:
                yield Rejected(where=sample.id, reason="no prompt found that asks for something else")
            else:
                made += 1
                yield Preference(
                    prompt=sample.prompt, chosen=sample.text, rejected=other.text, probability=probability,
                    objective=principle.objective, principle=principle.id, source=context.source, rater="construction",
                    origin=Origin(law=principle.digest),
                )  # fmt: skip

    return source
