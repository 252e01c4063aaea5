"""One thing is made while the one before it is used: what Arrow does leaves Python to others, and there is a second core."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(things: Iterable[T]) -> Iterator[T]:
    """Yield the same things in the same order; the next one is made in a thread meanwhile."""
    coming = iter(things)
    end = object()
    with ThreadPoolExecutor(1) as aside:
        soon = aside.submit(next, coming, end)
        while (thing := soon.result()) is not end:
            soon = aside.submit(next, coming, end)
            yield thing  # type: ignore[misc]
