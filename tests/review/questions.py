"""Questions that differ by their number alone, about two answers or about one."""

from collections.abc import Callable
from typing import Any

from caif.data import Prompt
from caif.review.items import Item, item
from caif.review.session import Review

Begin = Callable[..., Review]

MARKUP = (
    '"><script>window.pwned=1</script><img src=x onerror="window.pwned=1"></pre></textarea></style></script><!-- '
    "<svg onload=window.pwned=1><a href='javascript:window.pwned=1'>x</a><iframe src=http://evil.invalid/></iframe>"
    "<base href=//evil.invalid><form action=http://evil.invalid><button name=vote value=first>&lt;b&gt;"
)
ANSI = "\x1b[31mred\x1b[0m \x1b]0;owned\x07 \x9b2J \u202egnp\u2066\u200b\ufeff [/red] [link=http://evil.invalid]x"
HOSTILE = f"{MARKUP} {ANSI} {{{{ 7 * 191 }}}}{{% raw %}}"
"""Texts that try everything: markup, terminal escapes, characters that hide or turn others around, templates."""


def pair(n: int, **more: Any) -> Item:
    """Return the question about two answers that is number n."""
    return item(Prompt.of(f"question {n}?"), f"one answer {n}", f"the other answer {n}")._replace(**more)


def thumb(n: int, **more: Any) -> Item:
    """Return the question about one answer that is number n."""
    return item(Prompt.of(f"question {n}?"), f"one answer {n}")._replace(**more)
