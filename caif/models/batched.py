"""What the engine asks of a model on this machine, which is asked in batches and not row by row."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from caif.hookspecs import Answer, Params, Question, Request


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


@runtime_checkable
class Remembering(Batched, Protocol):
    """A local model that need not read again in one turn of a conversation what it has read or said in the turn before."""

    def past(self) -> Any:
        """Return what one turn's `reply` fills and the next turn's has use for: empty."""
        ...

    def reply(self, requests: Sequence[Request], params: Params, seed: int, past: Any = None) -> list[Answer]:
        """Answer one batch."""
        ...
