"""LLaMA-Factory's data sets of preferences and of thumbs (`kto_tag`), in its ShareGPT and its Alpaca form.

ShareGPT: `conversations` of `{"from", "value"}`, `system` beside them, `chosen` and `rejected` as one such turn each.
Alpaca: `instruction`, `input`, `history` of questions and answers, and both answers as texts. With `kto_tag` the last turn
of the conversation, or `output`, is what was rated. A file whose `dataset_info.json` names other columns is a `table`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from caif.data import Message, Preference, Rating, Rejected
from caif.formats.fields import Unusable, each, kind, origin, pair, prompt_of, rated, required, text
from caif.formats.jsonl import Line
from caif.formats.rows import any_rows
from caif.formats.trl import refuse_unlikely
from caif.hookspecs import Reader

ROLES = {"human": "user", "gpt": "assistant", "system": "system"}
Row = Mapping[str, Any]


def llama_factory(objective: str = "helpfulness") -> Reader:
    """Read pairs, each of them certain as LLaMA-Factory takes it, and thumbs."""

    def make(line: Line) -> Iterator[Rating | Preference]:
        about = {"objective": objective, "origin": origin(line)}
        yield _thumb(line.row, about) if "kto_tag" in line.row else _pair(line.row, about)

    def read(path: Path) -> Iterator[Rating | Preference | Rejected]:
        return each(any_rows(path), make)

    return read


def _pair(row: Row, about: Mapping[str, Any]) -> Preference:
    refuse_unlikely(row)
    answers = (_answer(required(row, key), key) for key in ("chosen", "rejected"))
    chosen, rejected = pair(*answers)
    asked = prompt_of((*_system(row), *_talk(row)))
    return Preference(prompt=asked, chosen=chosen, rejected=rejected, probability=1.0, **about)


def _thumb(row: Row, about: Mapping[str, Any]) -> Rating:
    if not isinstance(up := row["kto_tag"], bool):
        raise Unusable("ambiguous polarity", f"kto_tag must be true or false, it is {kind(up)}")
    talk = _talk(row)
    if "conversations" in row:
        *talk, last = talk or [Message(role="user", content="")]
        if last.role != "assistant":
            raise Unusable("the conversation does not end with an answer")
        answer = last.content
    else:
        answer = text(row, "output")
    return Rating(prompt=prompt_of((*_system(row), *talk)), completion=rated(answer), up=up, **about)


def _system(row: Row) -> list[Message]:
    said = text(row, "system", "")
    return [Message(role="system", content=said)] if said else []


def _talk(row: Row) -> list[Message]:
    """Return the turns before the answers; of thumbs in ShareGPT's form the rated answer is the last one."""
    if "conversations" in row:
        return [_turn(turn) for turn in _list(row, "conversations")]
    past = [_exchange(turn) for turn in _list(row, "history")] if row.get("history") else []
    asked = "\n".join(filter(None, (text(row, "instruction"), text(row, "input", ""))))
    return [*(message for exchange in past for message in exchange), Message(role="user", content=asked)]


def _list(row: Row, key: str) -> list[Any]:
    found = row[key]
    if not isinstance(found, list):
        raise Unusable(f"{key} is not a list", f"it is {kind(found)}")
    return found


def _turn(turn: object) -> Message:
    if not isinstance(turn, dict):
        raise Unusable("not a turn", f"it is {kind(turn)}")
    said_by = turn.get("from")
    role = ROLES.get(said_by) if isinstance(said_by, str) else None
    if role is None:
        raise Unusable("unknown role", f"{said_by!r:.40}" if isinstance(said_by, str) else "")
    return Message(role=role, content=text(turn, "value", ""))  # type: ignore[arg-type]


def _exchange(turn: object) -> list[Message]:
    if not (isinstance(turn, list) and len(turn) == 2 and all(isinstance(said, str) for said in turn)):
        raise Unusable("history is not questions and answers", f"one is {kind(turn)}")
    return [Message(role="user", content=turn[0]), Message(role="assistant", content=turn[1])]


def _answer(value: object, key: str) -> str:
    if isinstance(value, str):
        return value
    said = _turn(value)
    if said.role != "assistant":
        raise Unusable(f"{key} is not one answer", f"it is said by the {said.role}")
    return said.content
