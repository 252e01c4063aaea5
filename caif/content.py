"""What a row is: frozen, checked, and known by a digest of its content.

A row's `id` is never a number or a random name, because it is the key by which a stopped run continues, by which rows are
joined, and from which every random draw is seeded.
"""

import hashlib
import json
import random
from functools import cache
from json.encoder import encode_basestring as text_as_json
from math import isfinite
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

# What holds itself is no content: json then ends in a RecursionError, and not to look for it is a third of the time.
as_json = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_PLAIN = (str, float, int, bool, type(None))
_NAMES = {None: "null", True: "true", False: "false"}


def digest(content: object) -> str:
    """Return 32 hex digits that depend on JSON content alone, not on the order of keys."""
    return digest_of_json(as_json(content))


def digest_of_json(written: str) -> str:
    """Return the digest of content that is written as `as_json` writes it."""
    return hashlib.blake2b(written.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def rng(*seeds: object) -> random.Random:
    """Return a random generator that depends on these values alone, so draws survive any order, resume or worker."""
    return random.Random(digest([str(seed) for seed in seeds]))


def held_out(opening: str, share: float, *seeds: object) -> bool:
    """Draw whether conversations that begin so are held out, as this share of all is."""
    return rng("split", *seeds, opening).random() < share


class Frozen(BaseModel):
    """A value that cannot change, takes no field it does not know, and holds no number that is none."""

    # A text with half a surrogate pair fits into no file. pydantic finds that out where it has to know a text's length.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_max_length=1 << 40)

    @property
    def changed(self) -> set[str]:
        """The fields that say something else than they say by default. A default that is written out changes nothing.

        A run's own record has all of them written out, and is a run file again.
        """
        fields = type(self).model_fields.items()
        return {name for name, field in fields if getattr(self, name) != field.get_default(call_default_factory=True)}


class Row(Frozen):
    """A frozen row whose `id` is the digest of its content; a stored id that does not match is refused."""

    id: str = ""
    apart: ClassVar[frozenset[str]] = frozenset()
    """Fields that describe the row without being part of what it is, so they do not enter its id."""

    def model_post_init(self, _: object) -> None:
        """Give the row its id: once, while a validator would do it again wherever the row becomes part of another."""
        wanted = self._digest()
        if self.id not in ("", wanted):
            raise ValueError(f"row id {self.id} does not match its content ({wanted})")
        object.__setattr__(self, "id", wanted)

    def but(self, **changes: object) -> Self:
        """Return this row with some fields changed, and the id that its new content has."""
        fields = {name: getattr(self, name) for name in type(self).model_fields if name != "id"}
        return type(self)(**fields | changes)

    def noting(self, **changes: object) -> Self:
        """Return the same as `but` for values that are caif's own: none of the row is checked again, at half the time."""
        row = self.model_copy(update=changes)
        object.__setattr__(row, "id", row._digest())
        return row

    def _digest(self) -> str:
        form, names = _form(type(self))
        values = self.__dict__
        return digest_of_json(form % tuple([_written(values[name]) for name in names]))


@cache
def content_fields(kind: type[Row]) -> tuple[str, ...]:
    """Return the fields that a kind of row is known by."""
    return tuple(name for name in kind.model_fields if name != "id" and name not in kind.apart)


@cache
def _form(kind: type[Row]) -> tuple[str, tuple[str, ...]]:
    """Return the JSON that a row of this kind is known by, with a gap for each field, and the fields that fill them."""
    names = sorted(content_fields(kind))
    items = sorted(({"row": as_json(kind.__name__)} | dict.fromkeys(names, "%s")).items())
    return "{" + ",".join(f"{text_as_json(name)}:{value}" for name, value in items) + "}", tuple(names)


def _written(value: object) -> str:
    """Return a field's value as `as_json` writes it, at a fraction of the time for what most fields are."""
    if type(value) is str:
        return text_as_json(value)
    if value is None or value is True or value is False:
        return _NAMES[value]
    if type(value) is float and isfinite(value):
        return float.__repr__(value)
    return text_as_json(value.id) if isinstance(value, Row) else as_json(_plain(value))


def _plain(value: object) -> object:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Row):
        return value.id
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
