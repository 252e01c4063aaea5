"""Ask models: the ledger first, then only what is missing, each answer stored before it is used.

Local models are asked in batches that depend on the whole list of rows, and a batch is stored whole or not at all; so a
run that was killed asks the same batches again and gets the same answers. Servers are asked row by row, as many at a
time as they bear, each row with its own retries and its own time limit. A failure comes back as an `Answer` that says
so; if too many fail, the stage stops and goes on where it was when run again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol, runtime_checkable

from caif.config import Exec
from caif.content import digest
from caif.errors import STOPPED, CaifError
from caif.hookspecs import Answer, Model, Params, Question, Request
from caif.ledger import TEMPLATE_VERSION, Ledger
from caif.models.remote import Done, Remote

Track = Callable[[Iterable[Sequence[int]], int, str], Iterable[Sequence[int]]]
"""Shows progress over batches of row numbers: (batches, rows in all, label). Taking the next batch is what works."""


@runtime_checkable
class Batched(Protocol):
    """A local model: it says how rows fall into batches and answers a batch at a time."""

    def batches(self, items: Sequence[Request] | Sequence[Question]) -> list[list[int]]:
        """Return batches of row numbers, depending on the whole list alone."""
        ...

    def reply(self, requests: Sequence[Request], params: Params, seed: int) -> list[Answer]:
        """Answer one batch."""
        ...

    def score(self, questions: Sequence[Question]) -> list[Answer]:
        """Score one batch."""
        ...


@dataclass
class Engine:
    """The one way to a model. `stage` is on whose account the calls go."""

    ledger: Ledger
    settings: Exec
    stage: str
    seed: int
    track: Track

    def ask(self, model: Model, requests: Sequence[Request], params: Params) -> list[Answer]:
        """Return one answer a request, in order."""
        keys = [_key(model, self.seed, r.messages, [*params], r.sample) for r in requests]
        if isinstance(model.chat, Batched):
            chat = model.chat

            def run(rows: Sequence[int]) -> list[Answer]:
                return chat.reply([requests[i] for i in rows], params, int(digest([keys[i] for i in rows])[:12], 16))

            return self._local(model, keys, lambda: chat.batches(requests), run)
        remote = Remote(self.settings)
        return self._remote(model, keys, lambda rows, done: remote.ask(model, [(i, requests[i]) for i in rows], params, done))

    def score(self, model: Model, questions: Sequence[Question]) -> list[Answer]:
        """Return, for each question in order, the log-probabilities of its choices."""
        keys = [_key(model, 0, q.messages, ["choices", *q.choices], 0) for q in questions]
        if isinstance(model.chat, Batched):
            chat = model.chat

            def run(rows: Sequence[int]) -> list[Answer]:
                some = [questions[i] for i in rows]
                return _complete(model, some, chat.score(some))

            return self._local(model, keys, lambda: chat.batches(questions), run)
        if model.scorer is None:
            raise CaifError(f"{model.id} gives no log-probabilities", 'use method = "votes", or a model that scores')
        remote = Remote(self.settings)

        def run_each(rows: Sequence[int], done: Done) -> Iterable[list[int]]:
            def checked(row: int, answer: Answer) -> None:
                done(row, *_complete(model, [questions[row]], [answer]))

            return remote.score(model, [(i, questions[i]) for i in rows], checked)

        return self._remote(model, keys, run_each)

    def _local(
        self,
        model: Model,
        keys: Sequence[str],
        cut: Callable[[], list[list[int]]],
        run: Callable[[Sequence[int]], list[Answer]],
    ) -> list[Answer]:
        known = self.ledger.get(keys)
        failed: dict[str, Answer] = {}
        if len(known) < len(set(keys)):
            for rows in self.track(cut(), len(keys), self.stage):
                missing = list({keys[i]: i for i in rows if keys[i] not in known}.values())
                if missing:
                    fresh = {keys[i]: answer for i, answer in zip(missing, run(missing), strict=True)}
                    failed |= {key: answer for key, answer in fresh.items() if answer.finish == "error"}
                    known |= (answered := {key: answer for key, answer in fresh.items() if key not in failed})
                    self.ledger.put(answered, model.id, self.stage)
        return self._unless_too_many_failed(model, keys, known, failed)

    def _remote(
        self,
        model: Model,
        keys: Sequence[str],
        run: Callable[[Sequence[int], Done], Iterable[list[int]]],
    ) -> list[Answer]:
        known = self.ledger.get(keys)
        missing = list({key: i for i, key in enumerate(keys) if key not in known}.values())
        failed: dict[str, Answer] = {}

        def done(row: int, answer: Answer) -> None:
            # A refusal or a filter is what the model says; an error says nothing and is asked again another time.
            if answer.finish == "error":
                failed[keys[row]] = answer
            else:
                self.ledger.put({keys[row]: answer}, model.id, self.stage)
                known[keys[row]] = answer

        if missing:
            there = [i for i, key in enumerate(keys) if key in known]
            for _ in self.track(chain([there], run(missing, done)), len(keys), self.stage):
                pass
        return self._unless_too_many_failed(model, keys, known, failed)

    def _unless_too_many_failed(
        self, model: Model, keys: Sequence[str], known: Mapping[str, Answer], failed: Mapping[str, Answer]
    ) -> list[Answer]:
        if len(failed) > self.settings.max_failures * len(set(keys)):
            why = next(iter(failed.values())).detail
            raise CaifError(
                f"{self.stage}: {len(failed)} of {len(keys)} rows got no answer from {model.id} ({why})",
                "nothing that was answered is lost: run again to go on",
                code=STOPPED,
            )
        return [known.get(key) or failed[key] for key in keys]


def _complete(model: Model, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers of a scorer if each has one number a choice, or is a failure."""
    for question, answer in zip(questions, answers, strict=True):
        if not answer.failed and len(answer.logprobs) != len(question.choices):
            gave, wanted = len(answer.logprobs), len(question.choices)
            raise CaifError(f"{model.id} gave {gave} log-probabilities for {wanted} choices", "mend its score method")
    return list(answers)


def _key(model: Model, seed: int, messages: object, params: Sequence[object], sample: int) -> str:
    chat = [dict(m) for m in messages]  # type: ignore[attr-defined]
    return digest([TEMPLATE_VERSION, model.id, seed, chat, list(map(str, params)), sample])
