"""The one error a user meets: what went wrong and what to do about it, on one line, with the exit code it means."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

FAILED, WRONG, STOPPED = 1, 2, 3
"""Exit codes: finished but too much failed; wrong use, config or input; stopped and can go on. Ctrl-C is 130."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


_STEP = re.compile(r"[.\[]")
"""Where a key path goes one step down."""


class CaifError(Exception):
    """A failure with a remedy. `code` is the exit code it means, `others` what else is wrong in the same place."""

    def __init__(
        self, message: str, remedy: str = "", *, code: int = WRONG, others: Iterable["CaifError"] = ()
    ) -> None:
        self.message, self.remedy, self.code, self.others = _one_line(message), _one_line(remedy), code, tuple(others)
        super().__init__(f"{self.message}; {self.remedy}" if remedy else self.message)

    @property
    def lines(self) -> list[str]:
        """All that is wrong, a line each."""
        return [str(self), *map(str, self.others)]


def _one_line(text: str) -> str:
    """Spell out what would break the line or steer the terminal: names and values in a message come from files."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint: the nearest known name, or all of them if none is near."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1, 0.5)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names) or 'none'}"


def explain(error: ValidationError, model: type[BaseModel], where: str | Path) -> CaifError:
    """Return pydantic's complaint as one line: the file, the key path, what is wrong, and the nearest valid name."""
    first, *others = explain_all(error, model, where)
    return CaifError(f"{first.message} (and {len(others)} more)", first.remedy) if others else first


def explain_all(error: ValidationError, model: type[BaseModel], where: str | Path) -> list[CaifError]:
    """Return every complaint of pydantic's as such a line, one for each key path.

    A list whose item is wrong is reported as too short as well, and a value as wrong for each type it might have: of
    these the first counts, and the deepest place.
    """
    found: dict[str, CaifError] = {}
    for one in error.errors(include_url=False):
        place, _ = _walk(model, one["loc"])
        found.setdefault(place, _explained(one, place, model, where))
    above = {place[: end.start()] for place in found for end in _STEP.finditer(place)}
    return [told for place, told in found.items() if place not in above]


def _explained(one: "ErrorDetails", place: str, model: type[BaseModel], where: str | Path) -> CaifError:
    if one["type"] == "extra_forbidden":
        _, parent = _walk(model, one["loc"][:-1])
        return CaifError(f"{where}: {place}: unknown key", nearest(str(one["loc"][-1]), _keys(parent)))
    if one["type"] == "missing":
        return CaifError(f"{where}: {place}: is required and missing", "add it")
    text = one["msg"].removeprefix("Value error, ")
    if one["type"] == "string_unicode":
        return CaifError(f"{where}: {place}: text holds half a surrogate pair", "write all of it")
    if one["type"] == "value_error":
        return CaifError(": ".join(filter(None, [str(where), place, text])))
    plain = isinstance(one["input"], (str, int, float, bool)) and "key" not in place  # a key may be what stands there
    shown = f", not {one['input']!r:.80}" if plain else ""
    return CaifError(f"{where}: {place}: {text[0].lower()}{text[1:]}{shown}")


def _walk(model: type[BaseModel], loc: Iterable[str | int]) -> tuple[str, Any]:
    """Return an error's key path, without the names of the types that were tried there, and the type it leads to."""
    here: Any = model
    path = ""
    for part in loc:
        if _several(here):  # of a type that may be several, the next part says which of them was tried
            here = _container(here)
            continue
        here = _container(here)
        if here is None or part == "[key]":
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
        if get_origin(here) is None:
            here = here.model_fields[part].annotation if part in here.model_fields else None
        else:
            here = get_args(here)[1 if get_origin(here) is dict else 0]
    return path, here


def _several(annotation: Any) -> bool:
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    return len([kind for kind in kinds if kind is not type(None)]) > 1


def _container(annotation: Any) -> Any:
    """Return the model, table or list that a type allows, whatever else it allows; None if it is of plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is Annotated:
        return _container(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return next(filter(None, map(_container, get_args(annotation))), None)
    return annotation if get_origin(annotation) in (tuple, list, dict) else None


def _keys(annotation: Any) -> list[str]:
    model = _container(annotation)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
