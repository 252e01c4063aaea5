"""Every answer of every model, once: cache, way to resume, and account of cost in one SQLite file.

An answer is on disk before anyone sees it. Its key digests the resolved model, the messages, the parameters and the
sample number, so repeated samples stay apart and an edited prompt asks anew. Failures are not answers and are not kept;
what a model refuses to say is an answer.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from caif.errors import STOPPED, CaifError
from caif.hookspecs import Answer

TEMPLATE_VERSION = 2
"""Raise it when the way messages become tokens changes: answers given before were given to other questions."""

_TABLE = """
create table if not exists answers (
    key text primary key, model text not null, stage text not null, answer text not null,
    tokens_in integer not null, tokens_out integer not null, at real not null, run text not null default ''
)
"""
"""Rows in the order in which they come: keys are random, so rows in their order would each change a page of their own."""
_ADD_RUN = "alter table answers add column run text not null default ''"
_LOGGED = 10_000
"""Pages, of 4 KB, that wait in the log until they are put in their places: what changes often is so put there once."""
_PAUSE = 600.0
"""Seconds between two answers after which a stage was not at work: what lies between is not its time."""


_EARLIEST = 1.7e9
"""No answer is older than caif: an earlier time is what a truncated page reads as."""


class Spent(NamedTuple):
    """What a stage or a model has cost so far."""

    calls: int
    tokens_in: int
    tokens_out: int


class Usual(NamedTuple):
    """What an answer costs on average, and how many come in a second; None if there is no telling."""

    tokens_in: float
    tokens_out: float
    rate: float | None


class Ledger:
    """The answers on disk. One writer: the run holds the folder's lock."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with self._errors_told():
            file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")  # a power cut loses no answer that was paid for
            self._db.execute(f"pragma wal_autocheckpoint={_LOGGED}")
            self._db.execute(_TABLE)
            if "run" not in {column for _, column, *_ in self._db.execute("pragma table_info(answers)")}:
                self._db.execute(_ADD_RUN)  # a ledger of an earlier version

    def get(self, keys: Sequence[str]) -> dict[str, Answer]:
        """Return the answers there are for these keys."""
        found: dict[str, Answer] = {}
        for start in range(0, len(keys), 500):
            some = keys[start : start + 500]
            marks = ",".join("?" * len(some))
            with self._errors_told():
                rows = self._db.execute(f"select key, answer, at from answers where key in ({marks})", some)
                found |= {key: _decode(text, at) for key, text, at in rows}
        return found

    def put(self, answers: Mapping[str, Answer], model: str, stage: str, run: str = "") -> dict[str, Answer]:
        """Store answers, all of them or none, and return what now stands, with its time. When this returns they survive a power cut.

        `run` is who paid for them.
        """
        if failed := [answer for answer in answers.values() if answer.finish == "error"]:
            raise ValueError(f"a failure is no answer and is not kept: {failed[0].detail}")
        now = time.time()
        rows = [
            (key, model, stage, _encode(answer), answer.tokens_in, answer.tokens_out, now, run)
            for key, answer in answers.items()
        ]
        with self._errors_told(), self._db:
            self._db.execute("begin immediate")
            new = self._db.executemany("insert or ignore into answers values (?,?,?,?,?,?,?,?)", rows).rowcount
        if new < len(rows):  # another run was first: its answers stand, or this run's rows would not come again
            return self.get(list(answers))
        return {key: answer._replace(at=now) for key, answer in answers.items()}

    def spent(self, run: str = "") -> dict[str, Spent]:
        """Return calls and tokens by stage, of one run or of all."""
        with self._errors_told():
            sums = "count(*), sum(tokens_in), sum(tokens_out)"
            rows = self._db.execute(f"select stage, {sums} from answers where ? in ('', run) group by stage", [run])
            return {stage: Spent(*numbers) for stage, *numbers in rows}

    def paid(self, run: str) -> dict[str, Spent]:
        """Return what a run has paid for, by model."""
        with self._errors_told():
            sums = "count(*), sum(tokens_in), sum(tokens_out)"
            rows = self._db.execute(f"select model, {sums} from answers where run = ? group by model", [run])
            return {model: Spent(*numbers) for model, *numbers in rows}

    def usual(self) -> dict[tuple[str, str], "Usual"]:
        """Return what an answer has usually cost and how fast answers came, by stage and model."""
        with self._errors_told():
            rows = self._db.execute(
                "select stage, model, avg(tokens_in), avg(tokens_out), sum(at > first) / nullif(sum(min(gap, ?)), 0) from "
                "(select *, at - lag(at) over w as gap, min(at) over w as first from answers "
                "window w as (partition by stage, model order by at)) group by stage, model",
                [_PAUSE],
            )
            return {(stage, model): Usual(*numbers) for stage, model, *numbers in rows}

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            held = "locked" in str(error)
            remedy = "another program holds it: end that, and run again" if held else "free space, or move the file away"
            raise CaifError(f"{self.file}: the ledger cannot be used: {error}", remedy, code=STOPPED) from None
        except (LookupError, TypeError, json.JSONDecodeError, UnicodeDecodeError):  # bytes within a page are unguarded
            raise CaifError(f"{self.file}: the ledger is damaged", "move the file away", code=STOPPED) from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _encode(answer: Answer) -> str:
    fields = answer._asdict()
    del fields["at"]  # a column of its own
    return json.dumps(fields, ensure_ascii=True)


def _decode(text: str, at: float) -> Answer:
    if at < _EARLIEST:
        raise LookupError(f"{at} is no time of an answer")
    fields = json.loads(text)
    return Answer(**fields | {"logprobs": tuple(fields["logprobs"]), "at": at})
