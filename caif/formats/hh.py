r"""hh-rlhf transcripts: `chosen` and `rejected`, each a whole conversation as "\n\nHuman: …\n\nAssistant: …".

The two answers are what follows the last "\n\nAssistant:". A few published rows differ before it or end with nothing
after it; they are turned away and counted, since which answer would be compared with which is then a guess.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from caif.data import Message, Preference, Prompt, Rejected
from caif.formats.fields import Unusable, each, origin, prompt_of, text
from caif.formats.jsonl import Line, lines
from caif.hookspecs import Reader

TURN = re.compile(r"\n\n(Human|Assistant):")
LAST = "\n\nAssistant:"


def hh_rlhf(objective: str = "helpfulness") -> Reader:
    """Read hh-rlhf pairs as certain preferences: one crowd worker chose one answer."""

    def make(line: Line) -> Iterator[Preference]:
        head, chosen, rejected = _split(line.row)
        _check(chosen, rejected)
        yield Preference(
            prompt=prompt_of(_messages(head)), chosen=chosen, rejected=rejected, probability=1.0, objective=objective,
            origin=origin(line),
        )  # fmt: skip

    def read(path: Path) -> Iterator[Preference | Rejected]:
        return each(lines(path), make)

    return read


def prompts(path: Path) -> Iterator[Prompt | Rejected]:
    """Yield the conversation before the last answer of every row, whatever the answers are."""

    def make(line: Line) -> Iterator[Prompt]:
        yield prompt_of(_messages(_split(line.row)[0]), source=path.name)

    return each(lines(path), make)


def _split(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return what both transcripts share and the two last answers."""
    head, found, chosen = text(row, "chosen").rpartition(LAST)
    other, also, rejected = text(row, "rejected").rpartition(LAST)
    if not (found and also):
        raise Unusable("no answer in the transcript")
    if head != other:
        raise Unusable("prompts differ", "the transcripts part before the last answer")
    return head, chosen.strip(), rejected.strip()


def _check(chosen: str, rejected: str) -> None:
    for name, answer in (("chosen", chosen), ("rejected", rejected)):
        if not answer:
            raise Unusable("empty final answer", name)
        if "\n\nHuman:" in answer:
            raise Unusable("ends with the human", name)
    if chosen == rejected:
        raise Unusable("identical answers")


def _messages(head: str) -> tuple[Message, ...]:
    before, *parts = TURN.split(head)
    if before.strip():
        raise Unusable("text before the first turn")
    turns = zip(parts[::2], parts[1::2], strict=True)
    return tuple(Message(role="user" if who == "Human" else "assistant", content=said.strip()) for who, said in turns)
