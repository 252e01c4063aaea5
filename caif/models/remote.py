"""Ask a model behind an API: row by row, with limits that adapt, and failures told apart.

Each row carries its own number from request to answer, is retried on its own, and has its own time limit; langchain's
batch-with-retry is not used because it gives rows the answers of other rows (langchain#35475). The number of rows in
flight grows by one with every full round of successes and shrinks by a fifth when the server says it is too much.

A row that fails on its own is an `Answer` that says so. A server that fails all rows stops the round: at once where no
retry can help, and after `patience` seconds without a single answer otherwise. What was answered is kept.
"""

import asyncio
import atexit
import functools
import random
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

from caif.config import Exec
from caif.errors import STOPPED, CaifError
from caif.hookspecs import Answer, Model, Params, Question, Request
from caif.models.replies import is_pushback, is_refusal_of_row, name_of, read_message, refuse_if_hopeless, retry_after

Done = Callable[[int, Answer], None]
One = Callable[[Any], Coroutine[Any, Any, Answer]]
LONGEST_BACKOFF = 5
"""After so many doublings the pause between two tries of a row stays as long as it is."""
THREADS = 256
TELL_EVERY = 0.5


@runtime_checkable
class AsyncScorer(Protocol):
    """A scorer that waits without holding a thread, so that as many questions are in flight as `[exec]` allows."""

    async def ascore(self, question: Question) -> Answer:
        """Return the log-probability of each choice of one question."""
        ...


class Gate:
    """How many rows may be in flight: additive increase, multiplicative decrease."""

    def __init__(self, limit: int) -> None:
        self.allowed, self.limit, self.flying, self.wins = float(min(4, limit)), limit, 0, 0
        self.alive = self.narrowed = time.monotonic()
        self.changed = asyncio.Condition()

    async def __aenter__(self) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.flying < int(self.allowed))
            self.flying += 1

    async def __aexit__(self, *_: object) -> None:
        async with self.changed:
            self.flying -= 1
            self.changed.notify_all()

    def success(self) -> None:
        """Count a success; a round of them opens the gate by one."""
        self.alive = time.monotonic()
        self.wins += 1
        if self.wins >= self.allowed:
            self.allowed, self.wins = min(self.allowed + 1, float(self.limit)), 0

    def pushback(self, sent: float) -> None:
        """Close the gate by a fifth, to one at least. Calls sent before the last closing tell nothing new."""
        if sent >= self.narrowed:
            self.allowed, self.wins, self.narrowed = max(1.0, self.allowed * 0.8), 0, time.monotonic()


class Remote:
    """One round of calls to one server."""

    def __init__(self, settings: Exec) -> None:
        self.settings = settings

    def ask(self, model: Model, rows: Sequence[tuple[int, Request]], params: Params, done: Done) -> Iterator[list[int]]:
        """Answer each row, calling `done(row, answer)` as each arrives; yield from time to time which have arrived."""
        options: dict[str, Any] = {"temperature": params.temperature, "max_tokens": params.max_tokens}
        if params.stop:
            options["stop"] = list(params.stop)

        async def one(request: Request) -> Answer:
            message = await model.chat.ainvoke([dict(m) for m in request.messages], **options)
            return read_message(message)

        return self._round(rows, one, done)

    def score(self, model: Model, rows: Sequence[tuple[int, Question]], done: Done) -> Iterator[list[int]]:
        """Score each row through the model's own `score`, one question a call; otherwise like `ask`."""
        scorer = model.scorer
        assert scorer is not None  # noqa: S101 - the engine has refused models without one

        async def one(question: Question) -> Answer:
            if isinstance(scorer, AsyncScorer):
                return await scorer.ascore(question)
            return (await asyncio.to_thread(scorer.score, [question]))[0]

        return self._round(rows, one, done)

    def _round(self, rows: Sequence[tuple[int, Any]], one: One, done: Done) -> Iterator[list[int]]:
        finished: list[int] = []

        def noted(row: int, answer: Answer) -> None:
            done(row, answer)
            finished.append(row)

        work = _runner().get_loop().create_task(self._all(rows, one, noted))
        try:
            while not work.done():
                _run(asyncio.wait({work}, timeout=TELL_EVERY))
                yield [finished.pop() for _ in range(len(finished))]
            work.result()
        finally:
            work.cancel()
            _run(asyncio.wait({work}))

    async def _all(self, rows: Sequence[tuple[int, Any]], one: One, done: Done) -> None:
        """Let as many workers as may be in flight take rows from one pile; the first CaifError stops them all."""
        gate, pile, count = Gate(self.settings.concurrency), iter(rows), min(len(rows), self.settings.concurrency)
        workers = [asyncio.create_task(self._work(pile, one, done, gate)) for _ in range(count)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, pile: Iterator[tuple[int, Any]], one: One, done: Done, gate: Gate) -> None:
        for row, item in pile:
            async with gate:
                done(row, await self._patiently(one, item, gate))

    async def _patiently(self, one: One, item: Any, gate: Gate) -> Answer:
        """Ask until there is an answer. Being pushed back is the server's state, not the row's fault, and is no try."""
        attempt, tries = 0, 0
        while True:
            attempt += 1
            sent = time.monotonic()
            try:
                answer = await asyncio.wait_for(one(item), self.settings.timeout)
            except CaifError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a server does, the row is told and the run goes on
                refuse_if_hopeless(error)
                if is_pushback(error):
                    gate.pushback(sent)
                else:
                    tries += 1
                wait = max(self._backoff(attempt), retry_after(error))
                if tries > self.settings.retries or is_refusal_of_row(error):
                    return Answer("", "error", detail=f"{name_of(error)} after {attempt} attempts")
                if time.monotonic() + wait - gate.alive > self.settings.patience:
                    raise self._out_of_patience(error, wait) from None
                await asyncio.sleep(wait)
            else:
                gate.success()
                return answer if attempt == 1 or answer.detail else answer._replace(detail=f"{attempt} attempts")

    def _backoff(self, attempt: int) -> float:
        return random.uniform(0.5, 1.0) * self.settings.backoff * 2.0 ** min(attempt - 1, LONGEST_BACKOFF)

    def _out_of_patience(self, error: Exception, wait: float) -> CaifError:
        what = f"the server has not answered a single row for {self.settings.patience:g} s"
        remedy = "nothing that was answered is lost: run again later to go on"
        return CaifError(f"{what}: {name_of(error)}, next try in {wait:.0f} s", remedy, code=STOPPED)


@functools.cache
def _runner() -> asyncio.Runner:
    """Return the one event loop: clients keep connections open that belong to the loop they were opened in."""
    runner = asyncio.Runner()
    runner.get_loop().set_default_executor(ThreadPoolExecutor(THREADS))  # for clients that block; grown as needed
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
