"""Votes of Vercel's chat template: `{chatId, messageId, isUpvoted}`, as `SELECT row_to_json(v) FROM "Vote_v2" v` gives them.

The texts are in the table of messages (`"Message_v2"`: id, chatId, role, parts, createdAt), exported the same way. A
message is its parts of type text; reasoning and tools are left out. A vote names no user, so there are no raters.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from caif.data import Rating, Rejected
from caif.formats.fields import Unusable, decoded, each, hashed, kind, origin, prompt_of, rated, required, seconds
from caif.formats.jsonl import Line
from caif.formats.rows import any_rows, by_id, found
from caif.formats.talk import messages as messages_of
from caif.formats.talk import said
from caif.hookspecs import Reader


def vercel(messages: Path, objective: str = "helpfulness", salt: str = "caif") -> Reader:
    """Read the votes. `messages` is the file of messages, or of whole chats with their `messages` in them."""

    def read(path: Path) -> Iterator[Rating | Rejected]:
        held, turned_away = by_id(any_rows(messages), messages, within="messages")
        yield from turned_away
        chats = defaultdict[str, list[dict[str, Any]]](list)
        for message in held.values():
            chats[str(message.get("chatId"))].append(message)
        for chat in chats.values():
            chat.sort(key=lambda message: seconds(message.get("createdAt")) or 0.0)  # stable: else as in the file

        def make(line: Line) -> Iterator[Rating]:
            message = found(held, line.row.get("messageId"), "message")
            yield _rating(line, message, chats[str(message.get("chatId"))], objective, salt)

        yield from each(any_rows(path), make)

    return read


def _rating(
    line: Line, message: Mapping[str, Any], chat: Sequence[Mapping[str, Any]], objective: str, salt: str
) -> Rating:
    if not isinstance(up := required(line.row, "isUpvoted"), bool):
        raise Unusable("ambiguous polarity", f"isUpvoted must be true or false, it is {kind(up)}")
    if message.get("role") != "assistant":
        raise Unusable("rated message is not an answer")
    before = chat[: next(n for n, one in enumerate(chat) if one is message)]
    return Rating(
        prompt=prompt_of(messages_of([{"role": one.get("role"), "content": _parts(one)} for one in before])),
        completion=rated(said(_parts(message))),
        up=up,
        objective=objective,
        origin=origin(
            line, line.row.get("messageId"), line.row.get("createdAt"), hashed("chat", line.row.get("chatId"), salt)
        ),
    )


def _parts(message: Mapping[str, Any]) -> Any:
    """Return a message's parts, or its content as older versions of the template had it."""
    return decoded(message["parts"], "parts") if "parts" in message else message.get("content")
