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
import math
import random
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

from caif.config import Exec
from caif.errors import STOPPED, CaifError
from caif.hookspecs import Answer, Model, Params, Question, Request
from caif.text import whole

Done = Callable[[int, Answer], None]
One = Callable[[Any], Coroutine[Any, Any, Answer]]
LONGEST_BACKOFF = 30
THREADS = 256
NO_CREDIT = "the account has no credit left"


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

    def ask(self, model: Model, rows: Sequence[tuple[int, Request]], params: Params, done: Done) -> None:
        """Answer each row, calling `done(row, answer)` as each arrives."""
        options: dict[str, Any] = {"temperature": params.temperature, "max_tokens": params.max_tokens}
        if params.stop:
            options["stop"] = list(params.stop)

        async def one(request: Request) -> Answer:
            message = await model.chat.ainvoke([dict(m) for m in request.messages], **options)
            return read_message(message)

        _run(self._all(rows, one, done))

    def score(self, model: Model, rows: Sequence[tuple[int, Question]], done: Done) -> None:
        """Score each row through the model's own `score`, one question a call."""
        scorer = model.scorer
        assert scorer is not None  # noqa: S101 - the engine has refused models without one

        async def one(question: Question) -> Answer:
            if isinstance(scorer, AsyncScorer):
                return await scorer.ascore(question)
            return (await asyncio.to_thread(scorer.score, [question]))[0]

        _run(self._all(rows, one, done))

    async def _all(self, rows: Sequence[tuple[int, Any]], one: One, done: Done) -> None:
        """Let as many workers as may be in flight take rows from one pile; the first CaifError stops them all."""
        gate, pile = Gate(self.settings.concurrency), iter(rows)
        workers = [
            asyncio.create_task(self._work(pile, one, done, gate)) for _ in range(min(len(rows), self.settings.concurrency))
        ]
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
        """Ask until there is an answer. Being pushed back is the server's state, not a fault of the row, and is no try."""
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
                    return Answer("", "error", detail=f"{_name(error)} after {attempt} attempts")
                if time.monotonic() + wait - gate.alive > self.settings.patience:
                    raise self._out_of_patience(error, wait) from None
                await asyncio.sleep(wait)
            else:
                gate.success()
                return answer if attempt == 1 or answer.detail else answer._replace(detail=f"{attempt} attempts")

    def _backoff(self, attempt: int) -> float:
        longest = min(2.0 ** (attempt - 1), LONGEST_BACKOFF) * self.settings.backoff
        return random.uniform(0.5, 1.0) * longest

    def _out_of_patience(self, error: Exception, wait: float) -> CaifError:
        return CaifError(
            f"the server has not answered a single row for {self.settings.patience:g} s ({_name(error)}, next try in {wait:.0f} s)",
            "nothing that was answered is lost: run again later to go on",
            code=STOPPED,
        )


@functools.cache
def _runner() -> asyncio.Runner:
    """Return the one event loop: clients keep connections open that belong to the loop they were opened in."""
    runner = asyncio.Runner()
    runner.get_loop().set_default_executor(ThreadPoolExecutor(THREADS))  # for clients that block; grown as needed
    atexit.register(runner.close)
    return runner


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run it to its end; in a thread of its own where an event loop is running already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _runner().run(work)
    else:
        with ThreadPoolExecutor(1) as aside:
            aside.submit(_runner().run, work).result()


def read_message(message: Any) -> Answer:
    """Return what a chat model's message says, with refusals and filters told from answers: all have content ''."""
    usage = message.usage_metadata or {}
    cost = {"tokens_in": usage.get("input_tokens", 0), "tokens_out": usage.get("output_tokens", 0)}
    reason = str(message.response_metadata.get("finish_reason") or message.response_metadata.get("stop_reason") or "")
    text = message.content if isinstance(message.content, str) else str(message.text)
    if message.additional_kwargs.get("refusal") or reason == "refusal":
        return Answer("", "refused", detail=whole(str(message.additional_kwargs.get("refusal", "")))[:500], **cost)
    if reason in ("content_filter", "safety", "SAFETY"):
        return Answer("", "filtered", detail=reason, **cost)
    return Answer(whole(text).strip(), "length" if reason in ("length", "max_tokens") else "stop", **cost)


def status_of(error: BaseException) -> int:
    """Return the HTTP status an exception carries, 0 if none."""
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else 0


def is_pushback(error: BaseException) -> bool:
    """Whether the server says that it is too much. A 500 is its own trouble and no reason to slow down."""
    return status_of(error) in (429, 503, 529)


def is_refusal_of_row(error: BaseException) -> bool:
    """Whether the server says that this very request is wrong, for example too long: asking again changes nothing."""
    return status_of(error) in (400, 405, 406, 411, 413, 414, 415, 422)


def _name(error: BaseException) -> str:
    return " ".join(filter(None, [type(error).__name__, str(status_of(error) or "")]))


def refuse_if_hopeless(error: BaseException) -> None:
    """Stop the run where no retry can help. The server's own text is not shown: it may echo the key."""
    remedies = {
        401: "the key is missing or wrong: set the variable that api_key_env names",
        402: NO_CREDIT,
        403: "this key may not use this model",
        404: "check the model's name and base_url; the model may have been retired",
    }
    if (status := status_of(error)) in remedies:
        raise CaifError(f"the server answers {status}", remedies[status]) from None
    if getattr(error, "code", None) == "insufficient_quota":  # a 429 that no waiting mends
        raise CaifError(f"the server answers {status}", NO_CREDIT) from None


def retry_after(error: BaseException) -> float:
    """Return how many seconds the server asks to wait, from its Retry-After header; 0 if it does not say."""
    from email.utils import parsedate_to_datetime

    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = headers.get("retry-after")
    if value is None:
        return 0.0
    try:
        seconds = float(value)
        return max(0.0, seconds) if math.isfinite(seconds) else 0.0
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except ValueError:
            return 0.0
