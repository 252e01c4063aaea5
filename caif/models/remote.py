"""Ask a model behind an API: row by row, with limits that adapt, and failures told apart.

Each row carries its own number from request to answer, is retried on its own, and has its own time limit; langchain's
batch-with-retry is not used because it gives rows the answers of other rows (langchain#35475). The number of rows in
flight grows by one with every full round of successes and shrinks by a fifth when the server says it is too much.

A row that fails on its own is an `Answer` that says so. A server that fails all rows stops the round: at once where no
retry can help, and after `patience` seconds without a single answer otherwise. At the end of the budget or of the
stage's time no call is begun any more, and those in flight are let land. What was answered is kept.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from caif.config import Exec
from caif.hookspecs import Answer, Model, Params, Question, Request
from caif.models.account import Account
from caif.models.pace import Gate, Gauge, Pace
from caif.models.replies import read_message
from caif.models.rounds import Call, Done, Round, Row, Server


@runtime_checkable
class AsyncScorer(Protocol):
    """A scorer that waits without holding a thread, so that as many questions are in flight as `[exec]` allows."""

    async def ascore(self, question: Question) -> Answer:
        """Return the log-probability of each choice of one question."""
        ...


def server(model: Model, settings: Exec, account: Account, ends: float) -> Server:
    """Return the model's server as one stage asks it, until a moment of the monotonic clock."""
    pace = Pace(settings.requests_per_minute, settings.tokens_per_minute)
    return Server(model, settings, account, ends, Gate(settings.concurrency), pace, Gauge())


def ask(server: Server, rows: Sequence[Row], params: Params, done: Done) -> Iterator[list[int]]:
    """Answer each row, calling `done` as answers arrive; yield from time to time which rows have theirs."""
    options: dict[str, Any] = {"temperature": params.temperature, "max_tokens": params.max_tokens}
    if params.stop:
        options["stop"] = list(params.stop)

    async def one(request: Request) -> Answer:
        return read_message(await server.model.chat.ainvoke([dict(m) for m in request.messages], **options))

    return Round(server, Call(one, params.max_tokens), done).run(rows)


def score(server: Server, rows: Sequence[Row], done: Done) -> Iterator[list[int]]:
    """Score each row through the model's own `score`, one question a call; otherwise like `ask`."""
    scorer = server.model.scorer
    assert scorer is not None  # the engine has refused models without one
    if isinstance(scorer, AsyncScorer):
        return Round(server, Call(scorer.ascore, 1), done).run(rows)

    async def one(question: Question) -> Answer:
        return (await asyncio.to_thread(scorer.score, [question]))[0]

    return Round(server, Call(one, 1), done).run(rows)
