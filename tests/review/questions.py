"""Questions that differ by their number alone, about two answers or about one."""

from collections.abc import Callable
from typing import Any

from caif.data import Prompt
from caif.review.items import Item, item
from caif.review.session import Review

Begin = Callable[..., Review]


def pair(n: int, **more: Any) -> Item:
    """Return the question about two answers that is number n."""
    return item(Prompt.of(f"question {n}?"), f"one answer {n}", f"the other answer {n}")._replace(**more)


def thumb(n: int, **more: Any) -> Item:
    """Return the question about one answer that is number n."""
    return item(Prompt.of(f"question {n}?"), f"one answer {n}")._replace(**more)
