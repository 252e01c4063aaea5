"""One run at a time in a home folder."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from caif.errors import STOPPED, CaifError
from caif.store import write_text


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Hold a home folder: whoever else worked there would pay for the same answers twice."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    holder = home / "lock.holder"
    lock = FileLock(home / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = holder.read_text(encoding="utf-8") if holder.is_file() else "unknown"
        raise CaifError(f"{home} is in use by {who}", "wait for it, or use another --home", code=STOPPED) from None
    try:
        write_text(holder, f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()
