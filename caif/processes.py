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
GIVEN = ("RANK", "MASTER_ADDR", "MASTER_PORT")
LAUNCHED = "start by torchrun or accelerate launch, which set it, or unset it"


def place() -> int:
    """Return this process's place among all, 0 for the first."""
    if count() > 1 and (lacking := [name for name in GIVEN if name not in os.environ]):
        raise CaifError(f"WORLD_SIZE={count()} without {lacking[0]}: no launcher started this", LAUNCHED)
    place = _told("RANK", 0)
    if not 0 <= place < count():
        raise CaifError(f"RANK={place}: there is no such place among {count()} processes (WORLD_SIZE)", LAUNCHED)
    return place


def count() -> int:
    """Return how many processes there are."""
    return _told("WORLD_SIZE", 1)


def _told(name: str, otherwise: int) -> int:
    told = os.environ.get(name, str(otherwise))
    if not told.isdecimal():
        raise CaifError(f"{name}={told}: the environment names no number", LAUNCHED)
    return int(told)


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
