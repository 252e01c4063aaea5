"""One round of calls to one server: rows in flight, tries, time limits, and answers kept as they arrive.

A row carries its own number from request to answer and is retried on its own. Answers that arrive at one time are kept
in one transaction, and a worker takes its next row when the answer to the last one is kept; so after a power cut no more
is asked again than was in flight.
"""

import asyncio
import atexit
import functools
import random
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Thread
from typing import Any, NamedTuple

from caif.config import Exec
from caif.errors import STOPPED, CaifError
from caif.hookspecs import Answer, Model
from caif.models.account import Account, Halt, Late
from caif.models.pace import CHARACTERS, Gate, Gauge, Pace, characters
from caif.models.replies import is_pushback, is_refusal_of_row, name_of, refuse_if_hopeless, retry_after

Row = tuple[int, Any]
"""A row's number, and the Request or Question that it is."""
Done = Callable[[Sequence[tuple[int, Answer]]], None]
"""Takes the answers that have arrived, each with its row's number; when it returns they are kept."""
LONGEST_BACKOFF = 5
"""After so many doublings the pause between two tries of a row stays as long as it is."""
TELL_EVERY = 0.5
DRAIN = 3.0
"""Seconds that calls in flight have to land after Ctrl-C; what they bring is paid for."""


class Call(NamedTuple):
    """How one row is asked, and how many tokens the reply may have."""

    one: Callable[[Any], Coroutine[Any, Any, Answer]]
    tokens_out: int


@dataclass
class Server:
    """A model behind an API as one stage asks it: within which limits, on whose account, and until when."""

    model: Model
    settings: Exec
    account: Account
    ends: float
    gate: Gate
    pace: Pace
    gauge: Gauge


class Round:
    """Rows that are asked together. How many the server bears at once is remembered from one round to the next."""

    def __init__(self, server: Server, call: Call, done: Done) -> None:
        self.server, self.call, self.done, self.settings = server, call, done, server.settings
        self.gate = server.gate
        self.gate.alive = time.monotonic()  # what lies between two rounds is not the server's silence
        self.gate.flying = 0  # a worker that was stopped before it began has given no place back
        self.finished: list[int] = []
        self.arrived: list[tuple[int, Answer]] = []
        self.halt: Halt | None = None

    def run(self, rows: Sequence[Row]) -> Iterator[list[int]]:
        """Ask all rows."""
        work = _runner().get_loop().create_task(self._all(rows))
        try:
            while not work.done():
                _run(asyncio.wait({work}, timeout=TELL_EVERY))
                yield [self.finished.pop() for _ in range(len(self.finished))]
            work.result()
        except KeyboardInterrupt:
            self.halt = Halt("stopped by hand", "run again to go on")
            _run(asyncio.wait({work}, timeout=DRAIN))
            raise
        finally:
            work.cancel()
            _run(asyncio.wait({work}))

    async def _all(self, rows: Sequence[Row]) -> None:
        """Let as many workers as may be in flight take rows from one pile; the first error stops them all."""
        self.pile, self.left = iter(rows), len(rows)
        try:
            async with asyncio.TaskGroup() as self.workers:
                self._hire()
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        if self.halt is not None:
            raise self.halt

    def _hire(self) -> None:
        """Have a worker in every free place, as long as there are rows for them."""
        for _ in range(min(self.gate.free, self.left)):
            self.gate.flying += 1
            self.workers.create_task(self._work())

    async def _work(self) -> None:
        try:
            for row, item in self.pile:
                self.left -= 1
                if self.halt is not None:
                    return
                answer = await self._patiently(item)
                await self._keep(row, answer)
                self._hire()
                if self.gate.free < 0:
                    return
        except Halt as halt:
            self.halt = halt
        finally:
            self.gate.flying -= 1

    async def _keep(self, row: int, answer: Answer) -> None:
        """Keep the answer before the next row is taken. Answers that arrive at one time are kept at once.

        All who wait share one future, which ends for all where one of them is cancelled: only all of them ever are.
        """
        if not self.arrived:
            loop = asyncio.get_running_loop()
            self.kept: asyncio.Future[None] = loop.create_future()
            loop.call_soon(self._keep_all, self.kept)
        self.arrived.append((row, answer))
        await self.kept

    def _keep_all(self, kept: "asyncio.Future[None]") -> None:
        arrived, self.arrived = self.arrived, []
        failure: Exception | None = None
        try:
            self.done(arrived)
            self.finished += [row for row, _ in arrived]
        except Exception as error:  # noqa: BLE001 - for those who wait: the disk may be full
            failure = error
        if kept.done():  # the workers were stopped while they waited
            return
        kept.set_exception(failure) if failure else kept.set_result(None)

    async def _patiently(self, item: Any) -> Answer:
        """Ask until there is an answer. Being pushed back is the server's state, not the row's fault, and is no try."""
        attempt, tries, ends = 0, 0, time.monotonic() + self.settings.row_deadline
        while True:
            attempt += 1
            tokens = self.server.gauge.tokens(characters(item.messages))
            ends += await self.server.pace.turn(tokens + self.call.tokens_out)
            sent = time.monotonic()
            try:
                answer = await self._once(item, tokens, min(self.settings.timeout, max(ends - sent, 0.0)))
            except CaifError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a server does, the row is told and the run goes on
                refuse_if_hopeless(error, self.server.model)
                if is_pushback(error):
                    self.gate.pushback(sent)
                else:
                    tries += 1
                wait = max(self._backoff(attempt), retry_after(error))
                if tries > self.settings.retries or is_refusal_of_row(error) or time.monotonic() + wait > ends:
                    return Answer("", "error", detail=f"{name_of(error)} after {_attempts(attempt)}")
                if time.monotonic() + wait - self.gate.alive > self.settings.patience:
                    raise self._out_of_patience(error, wait) from None
                await asyncio.sleep(wait)
            else:
                self.gate.success()
                return answer if attempt == 1 or answer.detail else answer._replace(detail=_attempts(attempt))

    async def _once(self, item: Any, into: float, seconds: float) -> Answer:
        """Make one call within the budget and the time there is; `into` is how many tokens it is taken to read."""
        server, out = self.server, self.call.tokens_out
        if time.monotonic() > server.ends:
            raise Late(self.settings.stage_deadline)
        held = await server.account.hold(server.model.id, into, out)
        got: tuple[Answer, ...] = ()
        try:
            async with asyncio.timeout(seconds):
                got = (_priced(await self.call.one(item), into),)
            return got[0]
        finally:
            server.account.settle(held, server.model.id, *got)
            for answer in got:
                server.pace.correct(into + out, answer.tokens_in + answer.tokens_out)
                server.gauge.learn(characters(item.messages), answer.tokens_in)

    def _backoff(self, attempt: int) -> float:
        return random.uniform(0.5, 1.0) * self.settings.backoff * 2.0 ** min(attempt - 1, LONGEST_BACKOFF)

    def _out_of_patience(self, error: Exception, wait: float) -> CaifError:
        what = f"the server has not answered a single row for {self.settings.patience:g} s"
        remedy = "nothing that was answered is lost: run again later to go on"
        return CaifError(f"{what}: {name_of(error)}, next try in {wait:.0f} s", remedy, code=STOPPED)


def _attempts(number: int) -> str:
    return f"{number} attempts"


def _priced(answer: Answer, tokens_in: float) -> Answer:
    """Return the answer with what it cost, from its length where the server does not say."""
    if answer.tokens_in or answer.tokens_out:
        return answer
    return answer._replace(tokens_in=round(tokens_in), tokens_out=max(1, round(len(answer.text) / CHARACTERS)))


class Aside(ThreadPoolExecutor):
    """A thread for each call of a client that blocks. As many as are in flight, and none that the program's end waits for.

    A pool's threads are joined when Python ends, so one call that never returns would keep a run that has long told its error.
    """

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        """Begin the call."""
        future: Future[Any] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work(*given, **named))
                except BaseException as error:  # noqa: BLE001 - for who waits
                    future.set_exception(error)

        Thread(target=run, daemon=True).start()
        return future


@functools.cache
def _runner() -> asyncio.Runner:
    """Return the one event loop: clients keep connections open that belong to the loop they were opened in."""
    runner = asyncio.Runner()
    runner.get_loop().set_default_executor(Aside())  # for clients that block
    atexit.register(runner.close)
    return runner


def _run(work: Coroutine[Any, Any, Any]) -> None:
    """Run it to its end; in a thread of its own where an event loop is running already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _runner().run(work)
    else:
        with ThreadPoolExecutor(1) as aside:
            aside.submit(_runner().run, work).result()
