"""How values are written on the page: numbers with their sign and unit, and texts in which nothing is hidden."""

import re
import unicodedata
from typing import Any

from caif.intervals import Estimate

NOTHING = "\u2013"
LIMIT = 20_000
"""Longer texts are cut on the page, with a word on how much is missing; the rows are in the store."""

_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_CREDENTIALS = re.compile(r"(://)[^/@\s\"]+@")


def visible(value: object) -> object:
    """Return a text with every control, bidirectional and zero-width character spelled out; other values unchanged."""
    if type(value) is not str:  # markup of our own is a subclass of str and holds only what was made visible before
        return value
    text = value.replace("\r\n", "\n")
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(c) if c not in "\n\t" and unicodedata.category(c) in _HIDDEN else c for c in text)


def _spelled(character: str) -> str:
    return f"\u2039U+{ord(character):04X}\u203a"


def cut(text: str) -> str:
    """Return a text that is not longer than the limit, and how much was left out."""
    return text if len(text) <= LIMIT else f"{text[:LIMIT]}\n[{len(text) - LIMIT:,} more characters]"


def discreet(text: str) -> str:
    """Return a text without the user names and passwords that addresses may carry."""
    return _CREDENTIALS.sub("\\1\u2026@", text)


def number(value: Any) -> str:
    """Return a number at a precision that its size deserves."""
    if value is None:
        return NOTHING
    if isinstance(value, int):
        return f"{value:,}"
    return _rounded(value, abs(value))


def signed(value: float) -> str:
    """Return a difference with its sign."""
    text = number(float(value))
    return text if text.startswith("\u2212") or not float(value) else f"+{text}"


def percent(value: Any) -> str:
    """Return a share in per cent."""
    return NOTHING if value is None else f"{100 * value:.0f}\u00a0%"


def spread(estimate: Estimate | None, unit: str = "", sign: bool = False) -> str:
    """Return `mean (low to high)`, all three at one precision; `unit="%"` writes shares in per cent."""
    if estimate is None:
        return NOTHING
    scale = 100.0 if unit == "%" else 1.0
    ends = [scale * estimate[end] for end in ("low", "high") if estimate[end] is not None]
    mean = scale * estimate["mean"]
    size = 100.0 if unit == "%" else max(map(abs, [mean, *ends]))
    after = "\u00a0%" if unit else ""
    plus = "+" if sign and mean > 0 else ""
    interval = " (" + " to ".join(_rounded(end, size) for end in ends) + f"{after})" if ends else ""
    return f"{plus}{_rounded(mean, size)}{after}{interval}"


def _rounded(value: float, size: float) -> str:
    digits = 0 if size >= 100 or not size else 1 if size >= 10 else 2 if size >= 0.1 else 3
    text = f"{value:,.{digits}f}" if size >= 0.001 or not size else f"{value:.1g}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")
    return text.replace("-", "\u2212")


def seconds(value: Any) -> str:
    """Return a duration in the unit a reader would use."""
    if value is None:
        return NOTHING
    if value < 100:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 6000 else f"{value / 3600:.1f} h"


def listed(items: list[str]) -> str:
    """Return words as a list in a sentence."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else "none"


def counted(n: int, what: str) -> str:
    """Return a number and its noun, in the plural where there are not one."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
