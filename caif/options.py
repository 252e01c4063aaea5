"""Options of parts: from what a run file says to what a factory takes, and to what stands for it in a key."""

import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from caif.config import ModelSpec
from caif.errors import CaifError, nearest
from caif.models import resolve

Factory = Callable[..., Any]


def wrong_option(error: ValidationError, name: str, factory: Factory) -> CaifError:
    """Return what is wrong with an option of a part, by the option's name."""
    first = error.errors(include_url=False)[0]
    option = ".".join(map(str, first["loc"])) or "?"
    known = list(inspect.signature(factory).parameters)
    if first["type"] == "unexpected_keyword_argument":
        return CaifError(f"{name} has no option {option!r}", nearest(option, known))
    if first["type"] in ("missing_argument", "missing_keyword_only_argument"):
        return CaifError(f"{name} needs the option {option!r}", "add it to the run file")
    if first["type"] in ("tuple_type", "list_type"):
        what = f"{name}: option {option}: should be a list, not {first['input']!r:.80}"
        return CaifError(what, 'write it as [1, 2] or ["a", "b"]')
    return CaifError(f"{name}: option {option}: {first['msg'].lower()}, not {first['input']!r:.80}")


def typed(factory: Factory, key: str, value: Any, base: Path | None) -> Any:
    """Turn what a run file can say into what the option is: a path from the run file's folder, or a model."""
    parameter = inspect.signature(factory).parameters.get(key)
    kind = "" if parameter is None else str(parameter.annotation)
    if isinstance(value, list):
        return [typed(factory, key, item, base) for item in value]
    if "ModelSpec" in kind and isinstance(value, (str, dict)):
        with suppress(ValidationError):  # what is no model is refused with the other options
            return ModelSpec.model_validate({"use": value} if isinstance(value, str) else value)
    return (base or Path()) / Path(value).expanduser() if "Path" in kind and isinstance(value, str) else value


def defaults(factory: Factory) -> dict[str, Any]:
    """Return the options that a part has without being told."""
    return {p.name: p.default for p in inspect.signature(factory).parameters.values() if p.default is not p.empty}


def described(factory: Factory) -> list[tuple[str, str, str]]:
    """Return each option's name, what it may be, and what it is if it is left out: "needed" is never, "" is nothing."""
    return [
        (p.name, kind(p.annotation), "needed" if p.default is p.empty else written(p.default))
        for p in inspect.signature(factory).parameters.values()
    ]


def written(value: Any) -> str:
    """Return a value as a run file would say it, "" for nothing."""
    return "" if value is None else json.dumps(to_jsonable_python(value, fallback=str))


def kind(annotation: Any) -> str:
    """Return what a type is in words of a run file."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind(inner[0])
    if origin is Literal:
        return " | ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in inner)
    if origin in (tuple, list):
        return f"[{kind(inner[0])}, …]"
    if origin is dict:
        return f"{{{kind(inner[0])} = {kind(inner[1])}}}"
    if inner:
        return " | ".join(kind(one) for one in inner if one is not type(None))
    names = {ModelSpec: "model", Path: "path", str: "text", int: "whole number", float: "number", bool: "true | false"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def content(value: Any) -> object:
    """Return what stands for an option in a key: a file's content, a model's weights or endpoint, or the value."""
    if isinstance(value, Path):
        return content_digest(value)
    if isinstance(value, ModelSpec):
        return resolve.identity(value)
    if isinstance(value, (list, tuple)):
        return [content(item) for item in value]
    return to_jsonable_python(value, fallback=lambda other: f"{type(other).__module__}.{type(other).__qualname__}")


def content_digest(path: Path) -> str:
    """Return the digest of a file's content, or of a folder's files in order; "missing" if there is nothing."""
    if path.is_dir():
        return blake2b("".join(content_digest(f) for f in sorted(path.rglob("*")) if f.is_file()).encode()).hexdigest()[:32]
    if not path.is_file():
        return "missing"
    state = blake2b(digest_size=16)
    with path.open("rb") as source:
        while block := source.read(1 << 20):
            state.update(block)
    return state.hexdigest()
