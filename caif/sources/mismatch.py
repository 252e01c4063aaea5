"""An answer to the prompt against an answer to another prompt: which of the two is about the question needs no judge.

Without such pairs nothing tells a reward model that an answer has to do with its prompt: where most rejected answers are
the plainer ones, as first drafts and answers against a principle are, one learns the contrary, and a policy that is
reinforced against it answers every question alike. The reward model's card counts it.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from caif.config import Count
from caif.content import rng
from caif.data import Completion, Origin, Preference, Rejected
from caif.hookspecs import Feedback, FeedbackContext, FeedbackSource
from caif.text import spoken, topics


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
        made = 0
        for sample in answers:
            if made == limit:
                return
            principle = law.draw(sample.prompt, context.source, context.seed)
            other = _other(sample, answers, context)
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


TRIES = 50


def _other(sample: Completion, answers: Sequence[Completion], context: FeedbackContext) -> Completion | None:
    """Draw an answer to a prompt about something else. An answer that names what this prompt names is none such.

    Of a prompt that names nothing it cannot be known which answers are about something else.
    """
    if not (named := topics(spoken(sample.prompt.chat))):
        return None
    drawing = rng(context.source, context.seed, sample.id)
    drawn = (drawing.choice(answers) for _ in range(TRIES))
    others = (o for o in drawn if o.prompt.opening != sample.prompt.opening and o.text != sample.text)
    return next((o for o in others if not named & topics(f"{spoken(o.prompt.chat)}\n{o.text}")), None)
