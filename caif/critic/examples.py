"""Few-shot examples of critique and revision, shown before the conversation, within a budget of tokens.

Without them a model confuses its points of view and criticises where it should revise (Bai et al. 2022, section 3.1).
An example is written down as what it is about, and put into the very words that the real question has.
"""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from caif.constitution import Constitution, Text
from caif.content import Frozen
from caif.critic.reading import nothing_to_criticise
from caif.critic.talk import Talk, critique_messages, direct_messages, revision_messages
from caif.data import Prompt
from caif.errors import explain
from caif.files import load

AROUND = 5
"""Tokens that a chat template puts around a message, about."""


class Example(Frozen):
    """One round: an answer, its critique under a principle of the constitution, and the revision.

    A critique that finds nothing ends the round, so it has no revision.
    """

    principle: str
    prompt: Text
    answer: Text
    critique: Text
    revision: Annotated[str, Field(max_length=4000)] = ""

    @model_validator(mode="after")
    def _ends_or_goes_on(self) -> Self:
        if nothing_to_criticise(self.critique) == bool(self.revision.strip()):
            raise ValueError("a revision follows a critique, and none follows one that finds nothing to criticise")
        return self


class Examples(Frozen):
    """The file."""

    examples: Annotated[tuple[Example, ...], Field(min_length=1)]


def read_examples(file: Path) -> tuple[Example, ...]:
    """Read the examples of a TOML, YAML or JSON file: a list of tables named `examples`."""
    try:
        return Examples.model_validate(load(file)).examples
    except ValidationError as error:
        raise explain(error, Examples, file) from None


def shots(example: Example, law: Constitution, *, critique: bool = True, may_end: bool = True) -> Talk:
    """Return an example as the messages it would have been, or none where it shows what is not asked for."""
    principle, prompt = law.principle(example.principle), Prompt.of(example.prompt)
    ends = not example.revision
    if ends and not (critique and may_end):
        return []
    if not critique:
        return [*direct_messages(prompt, example.answer, principle), _says(example.revision)]
    talk = critique_messages(prompt, example.answer, principle, may_end=may_end)
    if ends:
        return [*talk, _says(example.critique)]
    return [*revision_messages(talk, example.critique, principle), _says(example.revision)]


def fitting(dialogues: Sequence[Talk], budget: int) -> tuple[Talk, int]:
    """Return the dialogues that fit a budget of tokens, one after the other, and how many do not.

    Each is kept whole or not at all, in order: one that is too long leaves its place to those after it.
    """
    kept: Talk = []
    left, dropped = budget, 0
    for dialogue in dialogues:
        size = sum(tokens(message["content"]) + AROUND for message in dialogue)
        if size <= left:
            kept, left = [*kept, *dialogue], left - size
        else:
            dropped += 1
    return kept, dropped


def tokens(text: str) -> int:
    """Estimate a text's tokens with no tokenizer, rather too many: four ASCII characters each, any other one each."""
    plain = sum(character < "\x80" for character in text)
    return ceil(plain / 4) + len(text) - plain


def _says(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}
