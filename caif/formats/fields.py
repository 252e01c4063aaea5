"""Take a foreign row apart, field by field. What cannot be used says why, in a phrase that can be counted."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from caif.content import digest
from caif.data import Message, Origin, Prompt, Rejected
from caif.errors import CaifError, nearest
from caif.formats.jsonl import Line, parse

R = TypeVar("R")
MAX_WEIGHT = 1e6
UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (1e8, 1.0))
"""How large a count since 1970 is, and how many of its units are a second: ns, µs, ms, s. Smaller ones are no times."""


class Unusable(Exception):
    """A row that cannot be used: `reason` is the same for all rows of its kind, `detail` is about this one."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(reason)


def each(items: Iterable[Line | Rejected], make: Callable[[Line], Iterable[R]]) -> Iterator[R | Rejected]:
    """Yield what `make` makes of every line; a line it finds unusable becomes a Rejected, and the next one follows."""
    for item in items:
        if isinstance(item, Rejected):
            yield item
            continue
        try:
            yield from make(item)
        except Unusable as error:
            yield Rejected(where=item.where, reason=error.reason, detail=error.detail)


def at_least_one(rows: Iterable[R | Rejected], path: Path, what: str) -> Iterator[R | Rejected]:
    """Pass rows through; a file that gave not one usable row is an error that sums up why."""
    usable, reasons, first = 0, Counter[str](), ""
    for row in rows:
        if isinstance(row, Rejected):
            reasons[row.reason] += 1
            first = first or ": ".join(filter(None, [row.where, row.reason, row.detail]))
        else:
            usable += 1
        yield row
    if usable:
        return
    if not reasons:
        raise CaifError(f"{path}: no usable rows", f"put {what} in it")
    why = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3))
    raise CaifError(f"{path}: no usable rows; turned away: {why}", f"the first: {first}")


def known_keys(row: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse a key that would otherwise be passed over in silence, which is how a misspelt one gets lost."""
    known = list(known)
    for key in row:
        if key not in known:
            raise Unusable("unknown key", f"{key!r:.60}: {nearest(key, known)}")


def required(row: Mapping[str, Any], key: str) -> Any:
    """Return what stands under a key; it must be there."""
    if key not in row:
        raise Unusable("missing key", f"{key!r}: {nearest(key, row)}"[:200])
    return row[key]


def text(row: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """Return a text as it stands; without a default it must be there and say something."""
    if default is not None and row.get(key) is None:
        return default
    value = required(row, key)
    if not isinstance(value, str):
        raise Unusable(f"{key} is not text", f"it is {kind(value)}")
    if default is None and not value.strip():
        raise Unusable(f"{key} is empty")
    return value


def table(row: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object under a key; it must be there."""
    value = row.get(key)
    if not isinstance(value, dict):
        raise Unusable(f"no {key}", f"it is {kind(value)}")
    return value


def number(row: Mapping[str, Any], key: str, default: float, high: float) -> float:
    """Return a finite number in [0, high]."""
    value = row.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Unusable(f"{key} is not a number", f"it is {kind(value)}")
    if not (math.isfinite(value) and 0 <= value <= high):
        raise Unusable(f"{key} out of range", f"{value:g} is not in [0, {high:g}]")
    return float(value)


def conversation(value: object, key: str = "prompt") -> tuple[Message, ...]:
    """Return the messages that a text or a list of `{"role", "content"}` stands for."""
    if isinstance(value, str):
        return (Message(role="user", content=value),)
    if not isinstance(value, list):
        raise Unusable(f"{key} is neither text nor messages", f"it is {kind(value)}")
    return tuple(_message(item, f"{key}[{n}]") for n, item in enumerate(value))


def _message(item: object, where: str) -> Message:
    if not isinstance(item, dict):
        raise Unusable("not a message", f"{where} is {kind(item)}")
    known_keys(item, ("role", "content"))
    role, content = item.get("role"), item.get("content")
    if role not in ("system", "user", "assistant"):
        raise Unusable("unknown role", f"{where}: {role!r:.40}" if isinstance(role, str) else where)
    if not isinstance(content, str):
        raise Unusable("content of a message is not text", f"{where}: it is {kind(content)}")
    return Message(role=role, content=content)


def prompt_of(messages: tuple[Message, ...], tags: Iterable[str] = (), source: str = "") -> Prompt:
    """Return the prompt these messages are, if they wait for an answer."""
    try:
        return Prompt(messages=messages, tags=tuple(tags), source=source)
    except ValidationError as error:
        raise Unusable(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def rated(answer: str) -> str:
    """Return the answer that was rated, if it says something."""
    if not answer.strip():
        raise Unusable("rated answer is empty")
    return answer


def pair(preferred: str, other: str) -> tuple[str, str]:
    """Return two answers that can be compared: both say something, and not the same."""
    if not (preferred.strip() and other.strip()):
        raise Unusable("empty answer")
    if preferred == other:
        raise Unusable("identical answers")
    return preferred, other


def hashed(what: str, name: object, salt: str) -> str:
    """Return a name by which someone or something is known again but not found; "" for no name."""
    if isinstance(name, float) and name.is_integer():
        name = int(name)  # a column of numbers with gaps in it is one of floats
    known = isinstance(name, (str, int)) and not isinstance(name, bool) and name != ""
    return f"{what}-{digest([salt, str(name)])[:16]}" if known else ""


def because(tag: object, comment: object = "") -> str:
    """Return why someone voted: the tag they chose, the comment they wrote, or "tag: comment"."""
    said = [text.strip() for text in (tag, comment) if isinstance(text, str)]
    return ": ".join(filter(None, said))


def origin(line: Line, record: object = "", at: object = None, conversation: str = "") -> Origin:
    """Return where a label came from: the product's own id of the record if it has one, else file and line."""
    named = isinstance(record, (str, int)) and not isinstance(record, bool) and record != ""
    return Origin(raw=str(record)[:200] if named else line.where, at=seconds(at), conversation=conversation)


def seconds(value: object) -> float | None:
    """Return a time as seconds since 1970: ISO 8601 (UTC unless it says otherwise), or a count in any unit of UNITS."""
    if isinstance(value, dict):
        value = value.get("$date")  # as MongoDB exports it
    if isinstance(value, str):
        value = _time(value.strip())
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return next((value / unit for least, unit in UNITS if least <= value < 1e20), None)


def _time(text: str) -> datetime | float | None:
    for read in (float, datetime.fromisoformat):
        try:
            return read(text.removesuffix(" UTC"))
        except (ValueError, OverflowError):
            continue
    return None


def decoded(value: object, key: str) -> Any:
    """Return the JSON value that a cell of a table holds as text; what is no text is that value already."""
    if not isinstance(value, str):
        return value
    try:
        found, end, faults = parse(value.strip())
    except (json.JSONDecodeError, RecursionError):
        raise Unusable(f"{key} is not JSON") from None
    if faults or end < len(value.strip()):
        raise Unusable(f"{key} is not JSON", faults[0] if faults else "more text after it")
    return found


def kind(value: object) -> str:
    """Return what a JSON value is in plain words, never the value itself: it may be huge, nested or private."""
    names = {str: "text", bool: "true or false", dict: "an object", list: "a list", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, (int, float)) else type(value).__name__)
