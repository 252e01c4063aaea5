"""Memory given back to the system, not only to the allocator."""

import ctypes
import gc
import os
from contextlib import suppress

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""glibc's names for them, from malloc.h."""
LARGE, ALLOWED = 1 << 30, 1 << 25
"""Blocks that glibc may hold: any of a model's, and the largest that every release of it accepts."""
KERNELS = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"


def hold() -> None:
    """Have the C library keep what the main thread frees for the next tensor, until `trim` gives it back.

    By default glibc asks the system for every block of 32 MB and returns it when it is freed; the system clears each page
    anew, which takes longer than a bfloat16 matrix product that fills it (tests/bench/bench_score.py: 1.4 times the rate).
    oneDNN keeps 1,024 compiled products, one for every number of tokens it has met, 7 MB a batch; the last ones are enough.
    """
    os.environ.setdefault(KERNELS, "64")
    with suppress(OSError, AttributeError):  # other C libraries have no mallopt
        libc = ctypes.CDLL(None)
        # Either number ends the first one's growing by itself, so none of them must stay at its small beginning.
        if libc.mallopt(MMAP_THRESHOLD, LARGE) or libc.mallopt(MMAP_THRESHOLD, ALLOWED):
            libc.mallopt(TRIM_THRESHOLD, LARGE)


def give_back() -> None:
    """Free what nothing refers to any more, and return it to the system."""
    gc.collect()
    trim()


def trim() -> None:
    """Return freed memory to the system where the C library keeps it.

    glibc holds freed blocks of up to 32 MB for later; after a model's weights were replaced or let go that is most of
    the model (measured: 2.8 of 3.3 GB after the 0.5B model was released in float32).
    """
    with suppress(OSError, AttributeError):  # other C libraries have no malloc_trim, and need none
        ctypes.CDLL(None).malloc_trim(0)
