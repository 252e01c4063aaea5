"""The one error a user meets: what went wrong and what to do about it, on one line, with the exit code it means."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

FAILED, WRONG, STOPPED, INTERRUPTED = 1, 2, 3, 130
"""Exit codes: finished but too much failed; wrong use, config or input; stopped and can go on; Ctrl-C."""


class CaifError(Exception):
    """A failure with a remedy. `code` is the exit code it means."""

    def __init__(self, message: str, remedy: str = "", *, code: int = WRONG) -> None:
        self.message, self.remedy, self.code = message, remedy, code
        super().__init__(f"{message}; {remedy}" if remedy else message)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint: the nearest known name, or all of them if none is near."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1, 0.5)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names) or 'none'}"


def explain(error: ValidationError, model: type[BaseModel], where: str | Path) -> CaifError:
    """Return pydantic's complaint as one line: the file, the key path, what is wrong, and the nearest valid name."""
    first = error.errors(include_url=False)[0]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    place = _key_path(first["loc"])
    if first["type"] == "extra_forbidden":
        *parents, name = [part for part in first["loc"] if isinstance(part, str)]
        hint = nearest(name, _fields(model, parents))
        return CaifError(f"{where}: {place}: unknown key{more}", hint)
    if first["type"] == "missing":
        return CaifError(f"{where}: {place}: is required and missing{more}", "add it")
    text = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return CaifError(": ".join(filter(None, [str(where), place, text])) + more)
    shown = f", not {first['input']!r:.80}" if isinstance(first["input"], (str, int, float, bool)) else ""
    return CaifError(f"{where}: {place}: {text[0].lower()}{text[1:]}{shown}{more}")


def _key_path(loc: Iterable[str | int]) -> str:
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _fields(model: type[BaseModel], path: Iterable[str]) -> list[str]:
    """Return the field names of the nested model that a key path leads to."""
    here: Any = model
    for name in path:
        info = here.model_fields.get(name) if isinstance(here, type) and issubclass(here, BaseModel) else None
        here = _model_in(info.annotation) if info else None
    return list(here.model_fields) if here is not None else []


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, tuple, list, dict):
        return next((m for m in map(_model_in, get_args(annotation)) if m is not None), None)
    return None
