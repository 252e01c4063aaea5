"""What a row is: frozen, checked, and known by a digest of its content.

A row's `id` is never a number or a random name, because it is the key by which a stopped run continues, by which rows are
joined, and from which every random draw is seeded.
"""

import hashlib
import json
import random
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from caif.text import is_whole


def digest(content: object) -> str:
    """Return 32 hex digits that depend on JSON content alone, not on the order of keys."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def rng(*seeds: object) -> random.Random:
    """Return a random generator that depends on these values alone, so draws survive any order, resume or worker."""
    return random.Random(digest([str(seed) for seed in seeds]))


class Frozen(BaseModel):
    """A value that cannot change, takes no field it does not know, and holds no number that is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        """Refuse half a surrogate pair here: no file can hold it, so the row would be lost where it is written."""
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not is_whole(text):
                raise ValueError(f"text holds half a surrogate pair: {text!a:.60}")
        return value


class Row(Frozen):
    """A frozen row whose `id` is the digest of its content; a stored id that does not match is refused."""

    id: str = ""
    apart: ClassVar[frozenset[str]] = frozenset()
    """Fields that describe the row without being part of what it is, so they do not enter its id."""

    @model_validator(mode="after")
    def _identify(self) -> Self:
        wanted = digest({"row": type(self).__name__, **self._content()})
        if self.id not in ("", wanted):
            raise ValueError(f"row id {self.id} does not match its content ({wanted})")
        object.__setattr__(self, "id", wanted)
        return self

    def but(self, **changes: object) -> Self:
        """Return this row with some fields changed, and the id that its new content has."""
        fields = {name: getattr(self, name) for name in type(self).model_fields if name != "id"}
        return type(self)(**fields | changes)

    def _content(self) -> dict[str, object]:
        return {n: _plain(getattr(self, n)) for n in type(self).model_fields if n != "id" and n not in self.apart}


def _plain(value: object) -> object:
    if isinstance(value, Row):
        return value.id
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
