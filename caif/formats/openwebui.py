"""Open WebUI's feedback export (admin page, "Export as JSON"): one record a thumb, with a snapshot of the whole chat.

`data.rating` is 1 or -1, as a number or as text; 0 is a draw of the arena. The prompt is the way from the rated message
up to the first one by `parentId`, so that other branches of the chat stay out of it. Opposite thumbs on sibling answers
stay thumbs unless pairs are asked for. The user's id never enters a row, only a salted hash of it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from caif.data import Message, Preference, Rating, Rejected
from caif.errors import CaifError
from caif.formats.fields import (
    Unusable,
    because,
    each,
    hashed,
    kind,
    origin,
    pair,
    prompt_of,
    rated,
    table,
    text,
)
from caif.formats.json_array import records
from caif.formats.jsonl import Line
from caif.hookspecs import Reader

OUTCOMES = {1: 1, -1: -1, 0: 0, "1": 1, "-1": -1, "0": 0}
HISTORIES = (("chat", "chat", "history"), ("chat", "history"), ("history",))
"""Where versions and documents of the product put the history inside the snapshot."""

Messages = Mapping[str, Mapping[str, Any]]


class Vote(NamedTuple):
    """One record: 1, 0 or -1 for one message among those of its chat, and what all rows made of it share."""

    outcome: int
    name: str
    messages: Messages
    answer: str
    shared: Mapping[str, Any]


def open_webui(objective: str = "helpfulness", salt: str = "caif", siblings: bool = False) -> Reader:
    """Read the JSON export. With a `salt` of your own, nobody who knows a user's id can find their thumbs.

    With `siblings`, votes are read as pairs instead: of the arena, against the answers that were shown beside; elsewhere
    against another answer to the same message whose thumb points the other way. Votes that say the same are one pair.
    """

    def read(path: Path) -> Iterator[Rating | Preference | Rejected]:
        if path.suffix.lower() == ".csv":
            raise CaifError(f"{path}: the CSV export holds no text of prompts and answers", "export it as JSON")
        seen = set[str]()

        def make(line: Line) -> Iterator[Rating | Preference]:
            vote = _vote(line, objective, salt)
            if not siblings:
                yield _rating(line.row, vote)
                return
            for row in _pairs(line.row, vote):
                if row.id not in seen:
                    seen.add(row.id)
                    yield row

        yield from each(records(path), make)

    return read


def _vote(line: Line, objective: str, salt: str) -> Vote:
    record = line.row
    if record.get("type", "rating") != "rating":
        raise Unusable("not a rating")
    data, snapshot = table(record, "data"), table(record, "snapshot")
    outcome, meta = _outcome(data.get("rating")), table(record, "meta")
    messages, name = _history(snapshot), meta.get("message_id")
    if not isinstance(name, str) or name not in messages:
        raise Unusable("rated message is not in the snapshot")
    *before, answer = _path(messages, name)
    if answer.role != "assistant":
        raise Unusable("rated message is not an answer")
    shared = {
        "prompt": prompt_of(tuple(before)),
        "objective": objective,
        "rater": hashed("user", record.get("user_id"), salt),
        "origin": origin(line, record.get("id"), record.get("created_at"), hashed("chat", meta.get("chat_id"), salt)),
    }
    return Vote(outcome, name, messages, rated(answer.content), shared)


def _rating(record: Mapping[str, Any], vote: Vote) -> Rating:
    if not vote.outcome:
        raise Unusable("draw")
    data = record["data"]
    why = because(text(data, "reason", ""), text(data, "comment", ""))
    return Rating(completion=vote.answer, up=vote.outcome > 0, reason=why, **vote.shared)


def _pairs(record: Mapping[str, Any], vote: Vote) -> Iterator[Preference]:
    others = [
        item for name, item in vote.messages.items()
        if name != vote.name and item.get("parentId") == vote.messages[vote.name].get("parentId")
        and item.get("role") == "assistant" and isinstance(item.get("content"), str)
    ]  # fmt: skip
    shown = record["data"].get("sibling_model_ids")
    if isinstance(shown, list) and shown:
        others = [
            item for item in others if {str(item.get("model")), str(item.get("selectedModelId"))} & set(map(str, shown))
        ]
    elif not record["meta"].get("arena"):
        others = [item for item in others if vote.outcome and _thumb(item) == -vote.outcome]
    if not others:
        raise Unusable("no answer to compare with")
    for item in others:
        chosen, rejected = pair(
            *((item["content"], vote.answer) if vote.outcome < 0 else (vote.answer, item["content"]))
        )
        yield Preference(chosen=chosen, rejected=rejected, probability=1.0 if vote.outcome else 0.5, **vote.shared)


def _thumb(item: Mapping[str, Any]) -> int | None:
    """Return the thumb that a message of the snapshot carries itself, None for none."""
    annotation = item.get("annotation")
    try:
        return _outcome(annotation.get("rating")) if isinstance(annotation, dict) else None
    except Unusable:
        return None


def _outcome(rating: object) -> int:
    if rating is None:
        raise Unusable("no rating")
    if isinstance(rating, bool) or not isinstance(rating, (int, str)) or rating not in OUTCOMES:
        shown = repr(rating)[:40] if isinstance(rating, (int, float, str)) else kind(rating)
        raise Unusable("ambiguous polarity", f"rating must be 1, 0 or -1, not {shown}")
    return OUTCOMES[rating]


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
