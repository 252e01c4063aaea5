"""Every answer of every model, once: cache, way to resume, and account of cost in one SQLite file.

An answer is on disk before anyone sees it. Its key digests the resolved model, the messages, the parameters and the
sample number, so repeated samples stay apart and an edited prompt asks anew. Failures are not answers and are not kept.
"""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from caif.errors import STOPPED, CaifError
from caif.hookspecs import Answer

TEMPLATE_VERSION = 1
"""Raise it when the way messages become tokens changes: answers given before were given to other questions."""

_TABLE = """
create table if not exists answers (
    key text primary key, model text not null, stage text not null, answer text not null,
    tokens_in integer not null, tokens_out integer not null, at real not null
) without rowid
"""


class Spent(NamedTuple):
    """What a stage or a model has cost so far."""

    calls: int
    tokens_in: int
    tokens_out: int


class Ledger:
    """The answers on disk. One writer: the run holds the folder's lock."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")  # a power cut loses no answer that was paid for
            self._db.execute(_TABLE)
        except sqlite3.Error as error:
            raise CaifError(f"{file}: cannot be used as ledger: {error}", "free space or move it away", code=STOPPED) from None

    def get(self, keys: Sequence[str]) -> dict[str, Answer]:
        """Return the answers there are for these keys."""
        found: dict[str, Answer] = {}
        for start in range(0, len(keys), 500):
            some = keys[start : start + 500]
            marks = ",".join("?" * len(some))
            rows = self._db.execute(f"select key, answer from answers where key in ({marks})", some)  # noqa: S608
            found |= {key: _decode(text) for key, text in rows}
        return found

    def put(self, answers: Mapping[str, Answer], model: str, stage: str) -> None:
        """Store answers, all of them or none. When this returns they survive a power cut."""
        now = time.time()
        rows = [
            (key, model, stage, _encode(answer), answer.tokens_in, answer.tokens_out, now)
            for key, answer in answers.items()
        ]
        try:
            self._db.execute("begin immediate")
            self._db.executemany("insert or ignore into answers values (?,?,?,?,?,?,?)", rows)
            self._db.execute("commit")
        except sqlite3.Error as error:
            raise CaifError(f"the ledger cannot be written: {error}", "free space, then run again", code=STOPPED) from None

    def spent(self) -> dict[str, Spent]:
        """Return calls and tokens by stage."""
        rows = self._db.execute("select stage, count(*), sum(tokens_in), sum(tokens_out) from answers group by stage")
        return {stage: Spent(*numbers) for stage, *numbers in rows}

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _encode(answer: Answer) -> str:
    return json.dumps(answer._asdict(), ensure_ascii=True)


def _decode(text: str) -> Answer:
    fields = json.loads(text)
    return Answer(**fields | {"logprobs": tuple(fields["logprobs"])})
