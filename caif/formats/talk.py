"""Conversations as products log them: contents in parts, LangChain's messages, and whatever a trace calls its input.

Tool calls, their results and a model's reasoning are left out: what is compared is what people said and were told.
Where the conversation rests on more than text (an image, a file), it cannot be read at all, and that is said.
"""

from collections.abc import Mapping
from typing import Any, Literal

from caif.data import Message
from caif.formats.fields import Unusable, kind

ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "system": "system", "developer": "system", "SystemMessage": "system",
    "user": "user", "human": "user", "HumanMessage": "user",
    "assistant": "assistant", "ai": "assistant", "model": "assistant", "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
}  # fmt: skip
TOOLS = ("tool", "function", "ToolMessage", "FunctionMessage")
TEXT_PARTS = ("text", "input_text", "output_text")
MORE_THAN_TEXT = ("image", "image_url", "image_file", "input_image", "file", "audio", "input_audio", "video", "media")
QUESTIONS = ("messages", "input", "question", "prompt", "query", "input_messages", "text", "content", "value")
HISTORIES = ("chat_history", "history")
ANSWERS = (
    "output", "answer", "response", "completion", "result", "choices", "generations", "messages", "output_messages",
    "message", "kwargs", "content", "text", "value",
)  # fmt: skip
DEEPEST = 8


def said(content: object) -> str:
    """Return the text of a message's content, which is a text or a list of parts."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if not isinstance(content, list):
        raise Unusable("content of a message is not text", f"it is {kind(content)}")
    return "\n\n".join(filter(None, map(_part, content)))


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        raise Unusable("content of a message is not text", f"a part is {kind(part)}")
    if part["type"] in MORE_THAN_TEXT:
        raise Unusable("more than text in the conversation", part["type"])
    if part["type"] not in TEXT_PARTS:
        return ""
    text = part.get("text")
    text = text.get("value") if isinstance(text, dict) else text
    if not isinstance(text, str):
        raise Unusable("content of a message is not text", f"a part holds {kind(text)}")
    return text


def asked(value: object, depth: int = 0) -> tuple[Message, ...]:
    """Return the conversation that a logged input holds: a text, messages, or an object with one of QUESTIONS in it."""
    if depth > DEEPEST:
        raise Unusable("no text in the input", "it is nested too deep")
    if isinstance(value, dict) and not _is_message(value):
        before = next((messages(value[key]) for key in HISTORIES if isinstance(value.get(key), list)), ())
        return (*before, *asked(_first(value, QUESTIONS, "input"), depth + 1))
    return (Message(role="user", content=value),) if isinstance(value, str) else messages(value)


def answered(value: object, depth: int = 0) -> str:
    """Return the one answer that a logged output holds: a text, the last message, or an object with one of ANSWERS in it."""
    if isinstance(value, str):
        return value
    if depth > DEEPEST:
        raise Unusable("no text in the output", "it is nested too deep")
    if isinstance(value, list):
        if value and _is_message(value[-1]):
            *_, last = messages(value) or [None]
            if last is None or last.role != "assistant":
                raise Unusable("the output does not end with an answer")
            return last.content
        if len(value) != 1:
            raise Unusable("not one answer in the output", f"it has {len(value)}")
        return answered(value[0], depth + 1)
    if isinstance(value, dict) and isinstance(value.get("content"), list):
        return said(value["content"])
    return answered(_first(value, ANSWERS, "output"), depth + 1)


def messages(value: object) -> tuple[Message, ...]:
    """Return the messages of a list, whatever they are written like, without those of tools."""
    if _is_message(value):
        value = [value]
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list) and not _is_message(value[0]):
        value = value[0]  # LangChain logs a batch of one
    if not isinstance(value, list):
        raise Unusable("neither text nor messages", f"it is {kind(value)}")
    return tuple(filter(None, map(_message, value)))


def _message(item: object) -> Message | None:
    role, content = _role_and_content(item)
    if role in TOOLS:
        return None
    if role not in ROLES:
        raise Unusable("unknown role", repr(role)[:40] if isinstance(role, str) else "")
    text = said(content)
    return Message(role=ROLES[role], content=text) if text.strip() else None


def _role_and_content(item: object) -> tuple[str, Any]:
    """Return who speaks and what is said, of a plain message, a pair of both, LangChain's dump or OpenInference's."""
    if isinstance(item, list) and len(item) == 2 and isinstance(item[0], str):
        return item[0], item[1]
    if not isinstance(item, dict):
        raise Unusable("not a message", f"it is {kind(item)}")
    said: dict[str, Any] = item["message"] if isinstance(item.get("message"), dict) else item
    if isinstance(said.get("kwargs"), dict):
        names = said.get("id")
        said = {"role": names[-1] if isinstance(names, list) and names else None, **said["kwargs"]}
    elif isinstance(said.get("data"), dict):
        said = {"role": said.get("type"), **said["data"]}
    role = said.get("role") or said.get("type")
    return role if isinstance(role, str) else "", said.get("content", said.get("parts"))


def _is_message(value: object) -> bool:
    try:
        role, _ = _role_and_content(value)
    except Unusable:
        return False
    return role in ROLES or role in TOOLS


def _first(value: object, keys: tuple[str, ...], what: str) -> Any:
    """Return what stands under the first of these keys that an object has, or under the only key it has."""
    if isinstance(value, Mapping):
        for key in keys:
            if value.get(key) not in (None, "", []):
                return value[key]
        if len(value) == 1:
            return next(iter(value.values()))
    raise Unusable(f"no text in the {what}", f"it is {kind(value)}")
