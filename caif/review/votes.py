"""A rater's votes on their way to a file that only grows: each is on the disk before the next item is shown."""

import getpass
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from filelock import FileLock, Timeout

from caif.content import digest
from caif.data import Rejected
from caif.errors import STOPPED, CaifError
from caif.formats.fields import hashed
from caif.formats.jsonl import Line, lines
from caif.formats.reviews import OWN, void
from caif.text import whole

SALT = "salt"


@dataclass
class Votes:
    """The votes of one rater for one objective. `standing` holds those not taken back, by item, the oldest first."""

    rater: str
    objective: str
    handle: FileIO
    standing: dict[str, dict[str, Any]] = field(default_factory=dict)
    torn: bool = False
    """Whether the file may end in the middle of a line, which is then left as it is and counted by whoever reads it."""

    def add(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Write a vote, and return it with its id, objective, rater and time once it is on the disk."""
        line = {**said, "objective": self.objective, "rater": self.rater, "at": round(time.time(), 3)}
        line = {"id": digest(["vote", line]), **line}
        self._append(line)
        self.standing.pop(line["item"], None)
        self.standing[line["item"]] = line
        return line

    def take_back(self, item: str) -> None:
        """Take back the vote on an item, by a line of its own."""
        self._append(
            {"vote": "undo", "of": self.standing[item]["id"], "rater": self.rater, "at": round(time.time(), 3)}
        )
        del self.standing[item]

    def _append(self, line: Mapping[str, Any]) -> None:
        text = whole(json.dumps(line, ensure_ascii=False)) + "\n"
        data = (b"\n" if self.torn else b"") + text.encode()
        self.torn = True
        while data:
            data = data[self.handle.write(data) :]
        os.fsync(self.handle.fileno())
        self.torn = False


@contextmanager
def opened(file: Path, rater: str, objective: str) -> Iterator[Votes]:
    """Open a file of votes to add to it; a second writer is refused, and so is a file that holds something else.

    What the rater said there for another objective stays, and is no answer to this one.
    """
    with FileIO(_descriptor(file), "a+") as handle, _alone(file):
        standing = _standing(file, rater, objective) if file.stat().st_size else {}
        yield Votes(rater, objective, handle, standing, _is_torn(handle))


def _descriptor(file: Path) -> int:
    """Open the file before its lock is asked for: where nothing can be written, a lock looks as if another held it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise CaifError(f"{file}: cannot be written to: {error.strerror}", "name another file with -o") from None


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Be the only one who writes to a file while the block lasts."""
    lock = FileLock(f"{file}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        what = f"{file}: another review writes there"
        raise CaifError(what, "end that one, or name another --rater or -o", code=STOPPED) from None
    try:
        yield
    finally:
        lock.release()


def _standing(file: Path, rater: str, objective: str) -> dict[str, dict[str, Any]]:
    gone = void(file)
    found: dict[str, dict[str, Any]] = {}
    for line in lines(file):
        if isinstance(line, Rejected):
            continue
        if not _is_vote(line):
            raise CaifError(f"{line.where}: is not a vote", "name another file with -o: this one holds something else")
        mine = line.row.get("rater") == rater and line.row.get("objective", objective) == objective
        if line.row["vote"] != "undo" and mine and line.row["id"] not in gone:
            found[line.row["item"]] = line.row
    return found


def _is_vote(line: Line) -> bool:
    keys = ("vote", "of") if line.row.get("vote") == "undo" else ("vote", "id", "item")
    return all(isinstance(line.row.get(key), str) for key in keys) and line.row["vote"] in OWN


def _is_torn(handle: FileIO) -> bool:
    if not handle.seek(0, os.SEEK_END):
        return False
    handle.seek(-1, os.SEEK_END)
    return handle.read(1) != b"\n"


def rater_of(home: Path) -> str:
    """Return a name for whoever sits here: a hash of the account's name, salted with a secret of the home folder."""
    file = home / "reviews" / SALT
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(file.with_suffix(".lock")):  # two reviews that begin at once agree on the first one's secret
        if not file.is_file():
            with NamedTemporaryFile("w", encoding="ascii", dir=file.parent, delete=False) as new:
                new.write(os.urandom(16).hex())
            Path(new.name).replace(file)  # whole or not at all: half a secret would make another rater of the same person
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        raise CaifError("this account has no name to make a rater of", "name one with --rater") from None
    return hashed("rater", account, file.read_text(encoding="ascii"))
