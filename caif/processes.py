"""Which of several processes this is, where `torchrun` or `accelerate launch` has started more than one.

The first does all there is to do but training, and alone writes: store, ledger, bars, report. The others take part in
trainings and read what the first has made.
"""

import os
import time
from collections.abc import Callable
from typing import TypeVar

from caif.errors import CaifError

T = TypeVar("T")

LOOK = 0.5
"""Seconds between two looks for what the first process makes."""


def place() -> int:
    """Return this process's place among all, 0 for the first."""
    return int(os.environ.get("RANK", "0"))


def count() -> int:
    """Return how many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def first() -> bool:
    """Whether this is the process that writes; a process alone is."""
    return place() == 0


def part(rows: int, what: str) -> int:
    """Return how many of so many rows are each process's."""
    if rows % count():
        raise CaifError(f"{what} {rows} cannot be shared by {count()} processes", f"make it a multiple of {count()}")
    return rows // count()


def awaited(look: Callable[[], T | None]) -> T:
    """Return what another process makes, once it is there. Should that process fail, its launcher ends this one."""
    while (found := look()) is None:
        time.sleep(LOOK)
    return found
