"""LibreChat's messages, as MongoDB exports them: `mongoexport -d LibreChat -c messages -o messages.jsonl`.

A thumb is `feedback: {rating: "thumbsUp" | "thumbsDown", tag, text}` on the answer itself. The prompt is the way from it
up to the first message by `parentMessageId`, so all messages are held in memory. Tags are free texts: forks have others.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from caif.data import Message, Rating, Rejected
from caif.formats.fields import Unusable, because, each, hashed, kind, origin, prompt_of, rated
from caif.formats.jsonl import Line
from caif.formats.rows import json_rows
from caif.formats.talk import said
from caif.hookspecs import Reader

NOBODY = (None, "", "00000000-0000-0000-0000-000000000000")
"""What stands for the parent of a first message."""
POLARITY = {"thumbsUp": True, "thumbsDown": False}
KEPT = (
    "messageId", "parentMessageId", "conversationId", "isCreatedByUser", "text", "content", "feedback", "user", "createdAt",
    "updatedAt",
)  # fmt: skip


def librechat(objective: str = "helpfulness", salt: str = "caif") -> Reader:
    """Read the thumbs on answers. With a `salt` of your own, nobody who knows a user's id can find their thumbs."""

    def read(path: Path) -> Iterator[Rating | Rejected]:
        held = dict[str, Line]()
        for item in json_rows(path):
            if isinstance(item, Rejected):
                yield item
            elif isinstance(name := item.row.get("messageId"), str) and name not in NOBODY:
                held[name] = Line(item.where, {key: item.row[key] for key in KEPT if key in item.row})
            else:
                yield Rejected(where=item.where, reason="no messageId")
        voted = (line for line in held.values() if line.row.get("feedback") is not None)
        yield from each(voted, lambda line: iter([_rating(line, held, objective, salt)]))

    return read


def _rating(line: Line, held: Mapping[str, Line], objective: str, salt: str) -> Rating:
    name, feedback = line.row["messageId"], line.row["feedback"]
    if not isinstance(feedback, dict):
        raise Unusable("feedback is not an object", f"it is {kind(feedback)}")
    rating = feedback.get("rating")
    if not isinstance(rating, str) or rating not in POLARITY:
        shown = repr(rating)[:40] if isinstance(rating, (str, int, float)) else kind(rating)
        raise Unusable("ambiguous polarity", f"rating must be thumbsUp or thumbsDown, not {shown}")
    *before, answer = _path(held, name)
    if answer.role != "assistant":
        raise Unusable("rated message is not an answer")
    chat = hashed("chat", line.row.get("conversationId"), salt)
    return Rating(
        prompt=prompt_of(tuple(before)),
        completion=rated(answer.content),
        up=POLARITY[rating],
        objective=objective,
        rater=hashed("user", line.row.get("user"), salt),
        reason=because(_tag(feedback.get("tag")), feedback.get("text")),
        origin=origin(line, name, line.row.get("updatedAt", line.row.get("createdAt")), chat),
    )


def _tag(tag: Any) -> Any:
    """Return a tag's key, of a tag that is stored whole."""
    return tag.get("key") if isinstance(tag, dict) else tag


def _path(held: Mapping[str, Line], name: str) -> list[Message]:
    """Return the messages from the first one to this one, by their parents."""
    path, seen = list[Message](), set[str]()
    at: Any = name
    while at not in NOBODY:
        if not isinstance(at, str) or at not in held:
            raise Unusable("the chat is broken off before its first message")
        if at in seen:
            raise Unusable("the chat runs in a circle")
        seen.add(at)
        path.append(_message(held[at].row))
        at = held[at].row.get("parentMessageId")
    return path[::-1]


def _message(row: Mapping[str, Any]) -> Message:
    if not isinstance(by_user := row.get("isCreatedByUser"), bool):
        raise Unusable("isCreatedByUser is not true or false", f"it is {kind(by_user)}")
    content = row.get("text") or row.get("content")
    return Message(role="user" if by_user else "assistant", content=said(content))
