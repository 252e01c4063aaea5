"""The conversations in which an answer is criticised and revised (Bai et al. 2022, section 3.1).

The critique is a turn of its own, and the revision's request follows it, so both are asked in the same conversation.
Texts are put in as they are: a brace in a principle or an answer means nothing.
"""

from collections.abc import Sequence

from caif.constitution import Principle
from caif.data import Prompt

Talk = list[dict[str, str]]

NOTHING = "Nothing to criticise."
"""What a critic is asked to say, and to say alone, where it finds no fault."""
CRITIQUE = "{request} Do not rewrite the answer yet."
MAY_END = "{request} If you find no fault at all, reply with these words alone: {nothing}"
REVISION = "{request} Write only the new answer, with no comment before or after it."


def critique_messages(
    prompt: Prompt, answer: str, principle: Principle, examples: Sequence[dict[str, str]] = (), *, may_end: bool = True
) -> Talk:
    """Return the conversation that asks for a critique of the answer; `may_end` offers a way to say that there is none."""
    request = CRITIQUE.format(request=principle.critique)
    request = MAY_END.format(request=request, nothing=NOTHING) if may_end else request
    return [*_answered(prompt, answer, examples), {"role": "user", "content": request}]


def revision_messages(talk: Sequence[dict[str, str]], critique: str, principle: Principle) -> Talk:
    """Return the same conversation after the critique, asking for the revision."""
    return [*talk, {"role": "assistant", "content": critique}, _revise(principle)]


def direct_messages(prompt: Prompt, answer: str, principle: Principle, examples: Sequence[dict[str, str]] = ()) -> Talk:
    """Return the conversation that asks for a revision at once, without a critique (Bai et al. 2022, figure 7)."""
    return [*_answered(prompt, answer, examples), _revise(principle)]


def _answered(prompt: Prompt, answer: str, examples: Sequence[dict[str, str]]) -> Talk:
    """Return the conversation up to the answer. A system message stays the first: many templates take it nowhere else."""
    system = [message for message in prompt.chat if message["role"] == "system"]
    turns = [message for message in prompt.chat if message["role"] != "system"]
    return [*system, *examples, *turns, {"role": "assistant", "content": answer}]


def _revise(principle: Principle) -> dict[str, str]:
    return {"role": "user", "content": REVISION.format(request=principle.revision)}
