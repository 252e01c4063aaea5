"""OpenAI-style preference lines, as several fine-tuning services take them.

A row is `{"input": {"messages": […]}, "preferred_output": [message], "non_preferred_output": [message]}` with one
message of the assistant a side. Rows that offer or call tools are turned away: text alone would tell half of them.
"""

from collections.abc import Iterator
from pathlib import Path

from caif.data import Preference, Rejected
from caif.formats.fields import Unusable, each, kind, origin, pair, prompt_of, required, table
from caif.formats.jsonl import Line
from caif.formats.rows import json_rows
from caif.formats.talk import messages
from caif.hookspecs import Reader


def openai_preference(objective: str = "helpfulness") -> Reader:
    """Read the pairs; each is certain."""

    def make(line: Line) -> Iterator[Preference]:
        asked = table(line.row, "input")
        if asked.get("tools"):
            raise Unusable("the row offers tools")
        chosen, rejected = (
            _answer(required(line.row, key), key) for key in ("preferred_output", "non_preferred_output")
        )
        chosen, rejected = pair(chosen, rejected)
        yield Preference(
            prompt=prompt_of(messages(asked.get("messages"))), chosen=chosen, rejected=rejected, probability=1.0,
            objective=objective, origin=origin(line),
        )  # fmt: skip

    def read(path: Path) -> Iterator[Preference | Rejected]:
        return each(json_rows(path), make)

    return read


def _answer(value: object, key: str) -> str:
    if not isinstance(value, list) or len(value) != 1:
        raise Unusable(
            f"{key} is not one message", f"it is {kind(value)}" if not isinstance(value, list) else str(len(value))
        )
    if isinstance(value[0], dict) and value[0].get("tool_calls"):
        raise Unusable("the answer calls tools")
    said = messages(value)
    if [message.role for message in said] != ["assistant"]:
        raise Unusable(f"{key} is not one answer")
    return said[0].content
