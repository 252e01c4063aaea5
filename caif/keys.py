"""The keys that a run file may hold, read from the models that check it."""

import inspect
from typing import Any, get_args

from pydantic import BaseModel

from caif.config import RunConfig
from caif.errors import CaifError, nearest
from caif.options import kind, written

TOP = "top"
"""What the keys that stand in no section are shown under."""


def sections() -> dict[str, type[BaseModel]]:
    """Return every section of a run file by name, the keys outside of sections first."""
    found = {name: model for name, field in RunConfig.model_fields.items() if (model := _model(field.annotation))}
    return {TOP: RunConfig, **found}


def section(name: str) -> type[BaseModel]:
    """Return one section."""
    known = sections()
    if name not in known:
        raise CaifError(f"a run file has no section {name!r}", nearest(name, known))
    return known[name]


def keys(model: type[BaseModel]) -> list[tuple[str, str, str]]:
    """Return each key's name, what it may be, and what it is if it is left out: "needed" is never, "" is nothing."""
    return [
        (name, kind(field.annotation), "needed" if field.is_required() else written(field.get_default(call_default_factory=True)))
        for name, field in model.model_fields.items()
        if name != "options" and (model is not RunConfig or not _model(field.annotation))
    ]  # fmt: skip


def about(model: type[BaseModel]) -> str:
    """Return what a section is for."""
    return inspect.getdoc(model) or ""


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a field is a section of, whether it may be left out or stand there several times."""
    several = [annotation, *get_args(annotation)]
    return next((one for one in several if isinstance(one, type) and issubclass(one, BaseModel)), None)
