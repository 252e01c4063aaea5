"""Which values are a thumb up and which a thumb down. A value that nobody declared is turned away, never guessed."""

from typing import NamedTuple

from caif.errors import CaifError
from caif.formats.fields import Unusable, kind

Marks = tuple[bool | int | float | str, ...]
"""Values as a file or a run file writes them. 1, 1.0 and "1" are one value, and so are true and "True"."""

TELL = "up = [1], down = [0] (--up 1 --down 0)"
UNTOLD = f"say which values are up and which down, as {TELL}"
"""What to do where nobody has declared a direction."""


class Polarity(NamedTuple):
    """The values that mean up and those that mean down."""

    up: frozenset[str]
    down: frozenset[str]

    def thumb(self, *values: object) -> bool:
        """Return whether these values, which all stand for one vote, mean up. One of them is enough; none may disagree."""
        given = [value for value in values if value is not None and value != ""]
        if not given:
            raise Unusable("no rating")
        marks = set(map(mark, given))
        up, down = bool(marks & self.up), bool(marks & self.down)
        if up == down:
            shown = " and ".join(repr(value)[:40] if mark(value) else kind(value) for value in given)
            both = (
                "is up as well as down" if up else f"is neither in up ({_all(self.up)}) nor in down ({_all(self.down)})"
            )
            raise Unusable("ambiguous polarity", f"{shown} {both}")
        return up


def polarity(up: Marks, down: Marks) -> Polarity:
    """Return what was declared; both directions must be, and no value may be in both."""
    said = Polarity(frozenset(map(mark, up)) - {""}, frozenset(map(mark, down)) - {""})
    if not (said.up and said.down):
        raise CaifError(
            "which values are up and which are down is not told",
            f"write for example {TELL}",
        )
    if both := said.up & said.down:
        raise CaifError(f"up and down both hold {_all(both)}", "a value means one of them")
    return said


def mark(value: object) -> str:
    """Return a value in the one spelling it is compared in, "" for none and for what is no plain value."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:.12g}"
    if not isinstance(value, str):
        return ""
    try:
        return mark(float(value))
    except ValueError:
        return value.strip().casefold() if value.strip().casefold() in ("true", "false") else value.strip()


def _all(marks: frozenset[str]) -> str:
    return ", ".join(sorted(marks)) or "empty"
