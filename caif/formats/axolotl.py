"""axolotl's preference rows (`chat_template.default`): `messages` or `conversation`, and two answers as one message each.

A configuration may name other fields and other keys of a message; such a file is a `table`.
"""

from collections.abc import Iterator
from pathlib import Path

from caif.data import Preference, Rejected
from caif.formats.fields import conversation, each, origin, pair, prompt_of, required
from caif.formats.jsonl import Line
from caif.formats.rows import any_rows
from caif.formats.trl import answer, refuse_unlikely
from caif.hookspecs import Reader


def axolotl(objective: str = "helpfulness") -> Reader:
    """Read the pairs; each is certain, as axolotl takes it."""

    def make(line: Line) -> Iterator[Preference]:
        refuse_unlikely(line.row)
        key = "messages" if "messages" in line.row else "conversation"  # caif writes its chat's hash under the latter
        asked = prompt_of(conversation(required(line.row, key), key))
        sides = ((required(line.row, name), name) for name in ("chosen", "rejected"))
        chosen, rejected = pair(*(answer([said] if isinstance(said, dict) else said, name) for said, name in sides))
        yield Preference(
            prompt=asked, chosen=chosen, rejected=rejected, probability=1.0, objective=objective, origin=origin(line)
        )

    def read(path: Path) -> Iterator[Preference | Rejected]:
        return each(any_rows(path), make)

    return read
