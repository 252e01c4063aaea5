"""Open WebUI's feedback export (admin page, "Export as JSON"): one record a thumb, with a snapshot of the whole chat.

`data.rating` is 1 or -1, as a number or as text; 0 is a draw of the arena. The prompt is the way from the rated message
up to the first one by `parentId`, so that other branches of the chat stay out of it. Opposite thumbs on sibling answers
stay thumbs here: making pairs of them is `combine`'s work. The user's id never enters a row, only a salted hash of it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from caif.content import digest
from caif.data import Message, Rating, Rejected
from caif.errors import CaifError
from caif.formats.fields import Unusable, each, kind, prompt_of, text
from caif.formats.json_array import records
from caif.formats.jsonl import Line
from caif.hookspecs import Reader

POLARITY = {1: True, -1: False, "1": True, "-1": False}
HISTORIES = (("chat", "chat", "history"), ("chat", "history"), ("history",))
"""Where versions and documents of the product put the history inside the snapshot."""


def open_webui(objective: str = "helpfulness", salt: str = "caif") -> Reader:
    """Read the JSON export. With a `salt` of your own, nobody who knows a user's id can find their thumbs."""

    def make(line: Line) -> Iterator[Rating]:
        yield _rating(line.row, objective, salt)

    def read(path: Path) -> Iterator[Rating | Rejected]:
        if path.suffix.lower() == ".csv":
            raise CaifError(f"{path}: the CSV export holds no text of prompts and answers", "export it as JSON")
        return each(records(path), make)

    return read


def _rating(record: Mapping[str, Any], objective: str, salt: str) -> Rating:
    if record.get("type", "rating") != "rating":
        raise Unusable("not a rating")
    data, snapshot = _table(record, "data"), _table(record, "snapshot")
    up = _polarity(data.get("rating"))
    messages, rated = _history(snapshot), _table(record, "meta").get("message_id")
    if not isinstance(rated, str) or rated not in messages:
        raise Unusable("rated message is not in the snapshot")
    *before, answer = _path(messages, rated)
    if answer.role != "assistant":
        raise Unusable("rated message is not an answer")
    if not answer.content.strip():
        raise Unusable("rated answer is empty")
    user = record.get("user_id")
    return Rating(
        prompt=prompt_of(tuple(before)),
        completion=answer.content,
        up=up,
        objective=objective,
        rater=f"user-{digest([salt, user])[:16]}" if isinstance(user, str) and user else "",
        reason=text(data, "reason", "") or text(data, "comment", ""),
    )


def _table(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = record.get(key)
    if not isinstance(value, dict):
        raise Unusable(f"no {key}", f"it is {kind(value)}")
    return value


def _polarity(rating: object) -> bool:
    if rating is None:
        raise Unusable("no rating")
    known = isinstance(rating, (int, str)) and not isinstance(rating, bool)
    if known and rating in (0, "0"):
        raise Unusable("draw")
    if not known or rating not in POLARITY:
        shown = repr(rating)[:40] if isinstance(rating, (int, float, str)) else kind(rating)
        raise Unusable("ambiguous polarity", f"rating must be 1, 0 or -1, not {shown}")
    return POLARITY[rating]


def _history(snapshot: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the chat's messages by id, from wherever this version of the product keeps them."""
    for place in HISTORIES:
        found: Any = snapshot
        for key in (*place, "messages"):
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, list):
            found = {str(item.get("id")): item for item in found if isinstance(item, dict)}
        if isinstance(found, dict) and found:
            return {name: item for name, item in found.items() if isinstance(item, dict)}
    raise Unusable("no messages in the snapshot")


def _path(messages: Mapping[str, Mapping[str, Any]], rated: str) -> list[Message]:
    """Return the messages from the first one to the rated one, by their parents."""
    path: list[Message] = []
    seen: set[str] = set()
    at: object = rated
    while at is not None:
        if not isinstance(at, str) or at not in messages:
            raise Unusable("the chat is broken off before its first message")
        if at in seen:
            raise Unusable("the chat runs in a circle")
        seen.add(at)
        path.append(_message(messages[at]))
        at = messages[at].get("parentId")
    return path[::-1]


def _message(item: Mapping[str, Any]) -> Message:
    role, content = item.get("role"), item.get("content")
    if role not in ("system", "user", "assistant"):
        raise Unusable("unknown role", repr(role)[:40] if isinstance(role, str) else "")
    if not isinstance(content, str):
        raise Unusable("content of a message is not text", f"it is {kind(content)}")
    return Message(role=role, content=content)
