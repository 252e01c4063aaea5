"""Ask models: the ledger first, then only what is missing, each answer stored before it is used.

Local models are asked in batches that depend on the whole list of rows, and a batch is stored whole or not at all; so a
run that was killed asks the same batches again and gets the same answers. Servers are asked row by row, as many at a
time as they bear, each row with its own retries and its own time limit. A failure comes back as an `Answer` that says
so; if too many fail, the stage stops and goes on where it was when run again.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from caif.config import Exec
from caif.content import digest
from caif.errors import STOPPED, CaifError
from caif.hookspecs import Answer, Model, Params, Question, Request
from caif.ledger import TEMPLATE_VERSION, Ledger
from caif.models import remote
from caif.models.account import Account, Cost, Halt, Late
from caif.models.batched import Batched, Remembering
from caif.models.pace import CHARACTERS, characters
from caif.models.rounds import Done, Server

Track = Callable[[Iterable[Sequence[int]], int, str], Iterable[Sequence[int]]]
"""Shows progress over batches of row numbers: (batches, rows in all, label). Taking the next batch is what works."""
Then = Callable[[int, Answer], Request | None]
"""What is asked next of a row, by its number and its answer; the same for the same answer."""


@dataclass
class Engine:
    """The one way to a model. `stage` is on whose account the calls go."""

    ledger: Ledger
    settings: Exec
    stage: str
    seed: int
    track: Track
    account: Account = field(default_factory=Account)
    servers: dict[str, Server] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ends = time.monotonic() + (self.settings.stage_deadline or math.inf)

    def ask(self, model: Model, requests: Sequence[Request], params: Params) -> list[Answer]:
        """Return one answer a request, in order."""
        self.account.refuse_unpriced(model.id)
        keys = self._keys(model, requests, params)
        if isinstance(model.chat, Batched):
            chat = model.chat

            def run(rows: Sequence[int]) -> dict[str, Answer]:
                return self._replied(chat.reply, [keys[i] for i in rows], [requests[i] for i in rows], params)

            return self._local(model, keys, lambda: chat.batches(requests), run, requests, params.max_tokens)
        server = self._server(model)
        return self._remote(model, keys, lambda rows, done: remote.ask(server, [(i, requests[i]) for i in rows], params, done))

    def ask_on(
        self, model: Model, requests: Sequence[Request], params: Params, then: Then, after: Params
    ) -> tuple[list[Answer], list[Answer | None]]:
        """Return one answer a request, and the answer to what `then` asks next, None where that is nothing.

        A model on this machine goes on from the first turn to the second batch by batch, so that it reads once what both
        have in common; a batch's two turns are stored together, so that a run that was killed computes both again alike.
        """
        if isinstance(model.chat, Remembering):
            first = self._first_turns(model, model.chat, requests, params, then, after)
        else:
            first = self.ask(model, requests, params)
        asked = {i: request for i, answer in enumerate(first) if (request := then(i, answer))}
        second = dict(zip(asked, self.ask(model, [*asked.values()], after), strict=True))
        return first, [second.get(i) for i in range(len(first))]

    def _first_turns(
        self, model: Model, chat: Remembering, requests: Sequence[Request], params: Params, then: Then, after: Params
    ) -> list[Answer]:
        """Return the answers to the first turns; those to the second ones are in the ledger then."""
        keys = self._keys(model, requests, params)

        def run(rows: Sequence[int]) -> dict[str, Answer]:
            past = chat.past()
            reply = partial(chat.reply, past=past)
            first = self._replied(reply, [keys[i] for i in rows], [requests[i] for i in rows], params)
            asked = [request for i in rows if (request := then(i, first[keys[i]]))]
            for some in chat.batches(asked):
                batch = [asked[n] for n in some]
                second = self._replied(reply, self._keys(model, batch, after), batch, after)
                first |= {key: answer for key, answer in second.items() if answer.finish != "error"}
            return first

        tokens = params.max_tokens + after.max_tokens
        return self._local(model, keys, lambda: chat.batches(requests), run, requests, tokens)

    def _keys(self, model: Model, requests: Sequence[Request], params: Params) -> list[str]:
        return [_key(model, self.seed, r.messages, [*params], r.sample) for r in requests]

    def _replied(
        self, reply: Callable[..., list[Answer]], keys: Sequence[str], requests: Sequence[Request], params: Params
    ) -> dict[str, Answer]:
        """Return a local model's answers to one batch by their keys, which its randomness comes from."""
        return dict(zip(keys, reply(requests, params, int(digest(keys)[:12], 16)), strict=True))

    def score(self, model: Model, questions: Sequence[Question]) -> list[Answer]:
        """Return, for each question in order, the log-probabilities of its choices."""
        self.account.refuse_unpriced(model.id)
        keys = [_key(model, 0, q.messages, _wanted(q), 0) for q in questions]
        if isinstance(model.chat, Batched):
            chat = model.chat

            def run(rows: Sequence[int]) -> dict[str, Answer]:
                some = [questions[i] for i in rows]
                return dict(zip((keys[i] for i in rows), _complete(model, some, chat.score(some)), strict=True))

            return self._local(model, keys, lambda: chat.batches(questions), run, questions, 0)
        if any(q.temperature != 1 or q.messages[0]["role"] == "raw" for q in questions):
            raise CaifError(f"{model.id} scores chats at temperature 1 alone", "use a model on this machine (hf:, embedded:)")
        if model.scorer is None:
            raise CaifError(f"{model.id} gives no log-probabilities", 'use method = "votes", or a model that scores')
        server = self._server(model)

        def run_each(rows: Sequence[int], done: Done) -> Iterable[list[int]]:
            def checked(answers: Sequence[tuple[int, Answer]]) -> None:
                # What is whole is kept before one that is not ends the stage: it is paid for.
                done([(row, answer) for row, answer in answers if answer.failed or _fits(questions[row], answer)])
                _complete(model, [questions[row] for row, _ in answers], [answer for _, answer in answers])

            return remote.score(server, [(i, questions[i]) for i in rows], checked)

        return self._remote(model, keys, run_each)

    def _server(self, model: Model) -> Server:
        """Return the model's server, the same one for all that this stage asks: its limits and its time are for the stage."""
        if model.id not in self.servers:
            self.servers[model.id] = remote.server(model, self.settings, self.account, self.ends)
        return self.servers[model.id]

    def _local(
        self,
        model: Model,
        keys: Sequence[str],
        cut: Callable[[], list[list[int]]],
        run: Callable[[Sequence[int]], dict[str, Answer]],
        items: Sequence[Request] | Sequence[Question],
        tokens_out: int,
    ) -> list[Answer]:
        known = self.ledger.get(keys)
        failed: dict[str, Answer] = {}
        if len(known) < len(set(keys)):
            for rows in self.track(cut(), len(keys), self.stage):
                missing = list({keys[i]: i for i in rows if keys[i] not in known}.values())
                if missing:
                    with self._halts_told(keys, known):
                        held = self._hold(model, [items[i] for i in missing], tokens_out)
                    fresh = run(missing)
                    failed |= {key: answer for key, answer in fresh.items() if answer.finish == "error"}
                    answered = {key: answer for key, answer in fresh.items() if key not in failed}
                    known |= self.ledger.put(answered, model.id, self.stage, self.account.run)
                    self.account.settle(held, model.id, *answered.values())
        self._refuse_too_many(model, keys, failed)
        return [known.get(key) or failed[key] for key in keys]

    def _hold(self, model: Model, items: Sequence[Request | Question], tokens_out: int) -> Cost:
        if time.monotonic() > self.ends:
            raise Late(self.settings.stage_deadline)
        tokens_in = sum(characters(item.messages) for item in items) / CHARACTERS
        return self.account.hold_now(self.account.charge(model.id, len(items), tokens_in, tokens_out * len(items)))

    @contextmanager
    def _halts_told(self, keys: Sequence[str], known: Mapping[str, Answer]) -> Iterator[None]:
        """Say of a stage that has to stop how much of it is left."""
        try:
            yield
        except Halt as halt:
            wanted = len(set(keys))
            left = f"{self.stage}: {wanted - len(known):,} of {wanted:,} answers are left to get"
            raise CaifError(f"{halt.message}; {left}", f"nothing is lost: {halt.remedy}", code=STOPPED) from None

    def _remote(
        self,
        model: Model,
        keys: Sequence[str],
        run: Callable[[Sequence[int], Done], Iterable[list[int]]],
    ) -> list[Answer]:
        known = self.ledger.get(keys)
        missing = list({key: i for i, key in enumerate(keys) if key not in known}.values())
        failed: dict[str, Answer] = {}

        def done(answers: Sequence[tuple[int, Answer]]) -> None:
            # A refusal or a filter is what the model says; an error says nothing and is asked again another time.
            good = {keys[row]: answer for row, answer in answers if answer.finish != "error"}
            if good:
                known.update(self.ledger.put(good, model.id, self.stage, self.account.run))
            failed.update((keys[row], answer) for row, answer in answers if answer.finish == "error")
            if failed and len(known) == before:  # not one row is answered: a request that is always wrong, or nobody there
                self._refuse_too_many(model, keys, failed)

        if missing:
            before = len(known)
            there = [i for i, key in enumerate(keys) if key in known]
            with self._halts_told(keys, known):
                for _ in self.track(chain([there], run(missing, done)), len(keys), self.stage):
                    pass
        self._refuse_too_many(model, keys, failed)
        return [known.get(key) or failed[key] for key in keys]

    def _refuse_too_many(self, model: Model, keys: Sequence[str], failed: Mapping[str, Answer]) -> None:
        if len(failed) > self.settings.max_failures * len(set(keys)):
            why = next(iter(failed.values())).detail
            raise CaifError(
                f"{self.stage}: {len(failed)} of {len(keys)} rows got no answer from {model.id} ({why})",
                "nothing that was answered is lost: run again to go on",
                code=STOPPED,
            )


def _complete(model: Model, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers of a scorer if each has one number a choice, or is a failure."""
    for question, answer in zip(questions, answers, strict=True):
        if not answer.failed and not _fits(question, answer):
            gave, wanted = len(answer.logprobs), len(question.choices)
            raise CaifError(f"{model.id} gave {gave} log-probabilities for {wanted} choices", "mend its score method")
    return list(answers)


def _fits(question: Question, answer: Answer) -> bool:
    return len(answer.logprobs) == len(question.choices)


def _wanted(question: Question) -> list[object]:
    at = [] if question.temperature == 1 else ["temperature", question.temperature]
    return [*at, "choices", *question.choices]  # the choices last, as they may be any words


def _key(model: Model, seed: int, messages: object, params: Sequence[object], sample: int) -> str:
    chat = [dict(m) for m in messages]  # type: ignore[attr-defined]
    return digest([TEMPLATE_VERSION, model.id, seed, chat, list(map(str, params)), sample])
