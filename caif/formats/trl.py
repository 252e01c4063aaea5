"""TRL's data sets: preference (with `prompt`, or implicit: what `chosen` and `rejected` have in common) and unpaired.

Texts or lists of messages, as its documentation has them. Of an implicit prompt in plain text only the texts tell where
it ends: where they part, one blank earlier, as TRL itself cuts them.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from caif.data import Message, Preference, Prompt, Rating, Rejected
from caif.formats.fields import Unusable, conversation, each, kind, origin, pair, prompt_of, required
from caif.formats.jsonl import Line
from caif.formats.rows import any_rows
from caif.hookspecs import Reader


def trl(objective: str = "helpfulness") -> Reader:
    """Read preference rows of a JSON, CSV or Parquet file; each is certain, as TRL takes it.

    A row whose `probability` says that the rejected answer is the likelier one is turned away: certain it is not.
    """

    def make(line: Line) -> Iterator[Preference]:
        refuse_unlikely(line.row)
        asked, chosen, rejected = _sides(line.row)
        chosen, rejected = pair(chosen, rejected)
        yield Preference(
            prompt=prompt_of(asked), chosen=chosen, rejected=rejected, probability=1.0, objective=objective,
            origin=origin(line),
        )  # fmt: skip

    def read(path: Path) -> Iterator[Preference | Rejected]:
        return each(any_rows(path), make)

    return read


def trl_unpaired(objective: str = "helpfulness") -> Reader:
    """Read thumbs: prompt, completion and `label`, which is true or false; 1 and "1" are turned away, as KTO would."""

    def make(line: Line) -> Iterator[Rating]:
        if not isinstance(label := required(line.row, "label"), bool):
            raise Unusable("ambiguous polarity", f"label must be true or false, it is {kind(label)}")
        completion = answer(required(line.row, "completion"), "completion")
        if not completion.strip():
            raise Unusable("completion is empty")
        yield Rating(
            prompt=_prompt(line.row), completion=completion, up=label, objective=objective, origin=origin(line)
        )

    def read(path: Path) -> Iterator[Rating | Rejected]:
        return each(any_rows(path), make)

    return read


def refuse_unlikely(row: Mapping[str, Any]) -> None:
    """Refuse a row that says of its chosen answer that it is the less likely one: read as certain it would be turned."""
    if isinstance(sure := row.get("probability"), (int, float)) and sure < 0.5:
        raise Unusable("chosen is not the likelier answer", f"probability is {sure:g}: read it as caif")


def answer(value: object, key: str) -> str:
    """Return the answer that a text is, or a list of the one message that answers."""
    if isinstance(value, str):
        return value
    said = conversation(value, key)
    if [message.role for message in said] != ["assistant"]:
        raise Unusable(f"{key} is not one answer", "it must be one message of the assistant")
    return said[0].content


def _sides(row: dict[str, Any]) -> tuple[tuple[Message, ...], str, str]:
    """Return the prompt's messages and both answers."""
    chosen, rejected = required(row, "chosen"), required(row, "rejected")
    if isinstance(chosen, str) != isinstance(rejected, str):
        raise Unusable("one answer is text and one is messages")
    if row.get("prompt") is not None:
        return _prompt(row).messages, answer(chosen, "chosen"), answer(rejected, "rejected")
    if isinstance(chosen, str):
        return _cut(chosen, rejected)
    one, other = conversation(chosen, "chosen"), conversation(rejected, "rejected")
    if one == other:
        raise Unusable("identical answers")
    shared = _shared(one, other)
    if {len(one), len(other)} != {shared + 1} or {one[shared].role, other[shared].role} != {"assistant"}:
        raise Unusable("prompts differ", "chosen and rejected must differ in the last answer alone")
    return one[:shared], one[shared].content, other[shared].content


def _cut(chosen: str, rejected: str) -> tuple[tuple[Message, ...], str, str]:
    """Cut two texts where they part; a blank before that belongs to the answers."""
    if "\n\nAssistant:" in chosen and chosen.startswith("\n\nHuman:"):
        raise Unusable("a transcript of Human and Assistant", "read it as hh-rlhf")
    at = _shared(chosen, rejected)
    at -= chosen[at - 1 : at] == " "
    return (Message(role="user", content=chosen[:at]),), chosen[at:], rejected[at:]


def _shared(one: Sequence[object], other: Sequence[object]) -> int:
    """Return how many items two sequences begin with alike."""
    alike = zip(one, other, strict=False)
    return next((n for n, (left, right) in enumerate(alike) if left != right), min(len(one), len(other)))


def _prompt(row: dict[str, Any]) -> Prompt:
    return prompt_of(conversation(required(row, "prompt")))
