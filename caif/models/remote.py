"""Ask a model behind an API: row by row, with limits that adapt, and failures told apart.

Each row carries its own number from request to answer, is retried on its own, and has its own time limit; langchain's
batch-with-retry is not used because it gives rows the answers of other rows (langchain#35475). The number of rows in
flight grows by one with every full round of successes and shrinks by a fifth when the server says it is too much.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from caif.config import Exec
from caif.errors import CaifError
from caif.hookspecs import Answer, Model, Params, Question, Request

Done = Callable[[int, Answer], None]
_ROLES = {"user": "user", "assistant": "assistant", "system": "system"}


class Gate:
    """How many rows may be in flight: additive increase, multiplicative decrease."""

    def __init__(self, limit: int) -> None:
        self.allowed, self.limit, self.flying, self.wins = float(min(4, limit)), limit, 0, 0
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
        self.wins += 1
        if self.wins >= self.allowed:
            self.allowed, self.wins = min(self.allowed + 1, float(self.limit)), 0

    def pushback(self) -> None:
        """Close the gate by a fifth, to one at least."""
        self.allowed, self.wins = max(1.0, self.allowed * 0.8), 0


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

        asyncio.run(self._all(rows, one, done))

    def score(self, model: Model, rows: Sequence[tuple[int, Question]], done: Done) -> None:
        """Score each row through the model's own `score`, one question a call."""
        scorer = model.scorer
        assert scorer is not None  # noqa: S101 - the engine has refused models without one

        async def one(question: Question) -> Answer:
            return (await asyncio.to_thread(scorer.score, [question]))[0]

        asyncio.run(self._all(rows, one, done))

    async def _all(self, rows: Sequence[tuple[int, Any]], one: Callable[[Any], Any], done: Done) -> None:
        gate = Gate(self.settings.concurrency)
        fatal: list[CaifError] = []

        async def work(row: int, item: Any) -> None:
            if fatal:
                return
            async with gate:
                if not fatal:
                    try:
                        done(row, await self._patiently(one, item, gate))
                    except CaifError as error:
                        fatal.append(error)

        await asyncio.gather(*(work(row, item) for row, item in rows))
        if fatal:
            raise fatal[0]

    async def _patiently(self, one: Callable[[Any], Any], item: Any, gate: Gate) -> Answer:
        started, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            try:
                answer = await asyncio.wait_for(one(item), self.settings.timeout)
            except Exception as error:  # noqa: BLE001 - whatever a server does, the row is told and the run goes on
                refuse_if_hopeless(error)
                if is_pushback(error):
                    gate.pushback()
                waited = time.monotonic() - started
                if attempt > self.settings.retries or waited > self.settings.patience:
                    return Answer("", "error", detail=f"{type(error).__name__} after {attempt} attempts")
                backoff = random.uniform(0.5, 1.0) * min(2.0 ** (attempt - 1), 30.0)  # noqa: S311
                await asyncio.sleep(max(backoff, retry_after(error)))
            else:
                gate.success()
                return answer


def read_message(message: Any) -> Answer:
    """Return what a chat model's message says, with refusals and filters told from answers: all have content ''."""
    usage = message.usage_metadata or {}
    cost = {"tokens_in": usage.get("input_tokens", 0), "tokens_out": usage.get("output_tokens", 0)}
    reason = str(message.response_metadata.get("finish_reason") or message.response_metadata.get("stop_reason") or "")
    text = message.content if isinstance(message.content, str) else str(message.text)
    if message.additional_kwargs.get("refusal") or reason == "refusal":
        return Answer("", "refused", detail=str(message.additional_kwargs.get("refusal", ""))[:500], **cost)
    if reason in ("content_filter", "safety", "SAFETY"):
        return Answer("", "filtered", detail=reason, **cost)
    return Answer(text.strip(), "length" if reason in ("length", "max_tokens") else "stop", **cost)


def status_of(error: BaseException) -> int:
    """Return the HTTP status an exception carries, 0 if none."""
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else 0


def is_pushback(error: BaseException) -> bool:
    """Whether the server says that it is too much. A 500 is its own trouble and no reason to slow down."""
    return status_of(error) in (429, 503, 529)


def refuse_if_hopeless(error: BaseException) -> None:
    """Stop the run where no retry can help. The server's own text is not shown: it may echo the key."""
    remedies = {
        401: "the key is missing or wrong: set the variable that api_key_env names",
        403: "this key may not use this model",
        404: "check the model's name and base_url; the model may have been retired",
    }
    if (status := status_of(error)) in remedies:
        raise CaifError(f"the server answers {status}", remedies[status]) from None


def retry_after(error: BaseException) -> float:
    """Return how many seconds the server asks to wait, from its Retry-After header; 0 if it does not say."""
    from email.utils import parsedate_to_datetime

    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = headers.get("retry-after")
    if value is None:
        return 0.0
    try:
        return max(0.0, float(value))
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except ValueError:
            return 0.0
