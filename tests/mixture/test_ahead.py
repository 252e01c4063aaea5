"""What is made ahead is the same things in the same order, and an error comes where it would have come."""

import threading
from collections.abc import Iterator

import pytest

from caif.mixture.ahead import ahead


def test_things_come_in_their_order_and_the_next_one_is_made_meanwhile() -> None:
    """The second thing is made while the first is still in use, and by another thread."""
    made = {n: threading.Event() for n in range(3)}
    makers = set()

    def things() -> Iterator[int]:
        for n, event in made.items():
            makers.add(threading.get_ident())
            event.set()
            yield n

    found = []
    for n in ahead(things()):
        assert n == 2 or made[n + 1].wait(10)
        found.append(n)
    assert found == [0, 1, 2]
    assert makers and threading.get_ident() not in makers


def test_an_error_comes_after_the_things_before_it() -> None:
    """And nothing to make is nothing made."""

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    things = ahead(broken())
    assert next(things) == 1
    with pytest.raises(OSError, match="no more"):
        next(things)
    assert list(ahead([])) == []
