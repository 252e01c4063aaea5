"""The rows: one frozen shape each, the same in memory and on disk.

A failure is never a preference: a failed judgement has no probability; what could not be used is a `Rejected` row.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from caif.content import Frozen, Row, held_out

Verdict = Literal["a", "b", "tie", "not_applicable", "invalid", "refused", "filtered", "error"]
Split = Literal["train", "heldout"]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finish = Literal["stop", "length", "refused", "filtered", "error"]

FAILURES = ("invalid", "refused", "filtered", "error")
"""Verdicts that say nothing about the answers: counted, never used. A tie and `not_applicable` are not failures."""


class Message(Frozen):
    """One turn of a conversation, as chat templates, langchain-core and TRL all take it."""

    role: Literal["system", "user", "assistant"]
    content: str


class Prompt(Row):
    """A conversation that waits for the assistant's next answer."""

    messages: tuple[Message, ...]
    tags: tuple[str, ...] = ()
    source: str = ""
    split: Split = "train"
    """Held-out prompts are for evaluation alone: nothing is trained on them."""
    apart = frozenset({"tags", "source", "split"})

    @model_validator(mode="after")
    def _waits(self) -> Self:
        if not self.messages or self.messages[-1].role != "user":
            raise ValueError("a prompt ends with a user message")
        if not self.messages[-1].content.strip():
            raise ValueError("the last user message is empty")
        return self

    @classmethod
    def of(cls, text: str, tags: Sequence[str] = (), source: str = "") -> Self:
        """Return the one-message prompt that a plain text is."""
        return cls(messages=(Message(role="user", content=text),), tags=tuple(tags), source=source)

    @property
    def chat(self) -> list[dict[str, str]]:
        """The messages as plain dicts."""
        return [message.model_dump() for message in self.messages]

    def under(self, instruction: str) -> list[dict[str, str]]:
        """Return the messages under an instruction, in one system message: chat templates take no second one."""
        system = "\n\n".join(filter(None, [*(m.content for m in self.messages if m.role == "system"), instruction]))
        rest = [message for message in self.chat if message["role"] != "system"]
        return [{"role": "system", "content": system}, *rest] if system else rest

    @property
    def text(self) -> str:
        """The last user message: what people see in a table."""
        return self.messages[-1].content

    @property
    def opening(self) -> str:
        """The first user message. A system message does not count: one that all prompts share would make them one."""
        return next(message.content for message in self.messages if message.role == "user")


def split_of(prompt: Prompt, heldout: float, *seeds: object) -> Split:
    """Return the split of a prompt. It depends on how its conversation begins, so that no conversation is in both."""
    return "heldout" if held_out(prompt.opening, heldout, *seeds) else "train"


class Completion(Row):
    """One answer of one model to a prompt. `finish` other than stop or length carries no usable text."""

    prompt: Prompt
    text: str
    model: str
    sample: int = 0
    finish: Finish = "stop"

    @property
    def usable(self) -> bool:
        """Whether there is an answer here at all."""
        return self.finish in ("stop", "length") and bool(self.text.strip())


NOTHING_FOUND = "nothing to criticise"
"""Why no revision follows a critique that finds no fault. It is the last turn of its chain."""


class Turn(Frozen):
    """One critique and the revision that followed it; `rejected` says why a revision was not taken over.

    The critique is empty where the answer was revised at once.
    """

    principle: str
    critique: str
    revision: str
    rejected: str = ""


class Revision(Row):
    """A first answer and what critique after critique made of it.

    `final` is the last accepted revision, or the answer, perhaps the first, that the critic found no fault with; else None.
    """

    prompt: Prompt
    first: str
    turns: tuple[Turn, ...]
    final: str | None


class Comparison(Row):
    """Two answers to one prompt, in the canonical order a, b."""

    prompt: Prompt
    a: str
    b: str

    def swap(self) -> "Comparison":
        """Return the same two answers in the other order."""
        return Comparison(prompt=self.prompt, a=self.b, b=self.a)


class Judgement(Row):
    """What one judge said of one comparison under one principle.

    `p_a` is P(a is better), both orders averaged; None unless the verdict is a, b or tie. `logit_ab` and `logit_ba` are
    the log-odds of a in the order a, b and in the order b, a; `mass` is the probability the judge put on the options at
    all, the smaller of both orders. `flipped` says that the two orders preferred different answers; a `method` that looks
    at one answer at a time knows no order, so both are None there. `resolution` says how its principle came to judge and
    what became of it, `said` what the judge wrote where it wrote, `suspected_injection` that an answer tries to steer it.
    """

    comparison: Comparison
    principle: str
    objective: str
    verdict: Verdict
    judge: str
    source: str = ""
    p_a: Share | None = None
    logit_ab: float | None = None
    logit_ba: float | None = None
    mass: float | None = None
    flipped: bool | None = None
    reason: str = ""
    method: str = "logprobs"
    resolution: str = ""
    said: tuple[str, ...] = ()
    suspected_injection: bool = False
    tokens_in: int = 0
    tokens_out: int = 0
    price: Weight | None = None
    at: float | None = None
    """When the last of the judge's answers was given, in seconds since 1970 UTC, as the ledger says; None if all failed."""
    law: str = ""  # the digest of the principle as it read then
    apart = frozenset({"tokens_in", "tokens_out", "price", "at", "law"})

    @model_validator(mode="after")
    def _failures_carry_nothing(self) -> Self:
        if (self.p_a is not None) != (self.verdict in ("a", "b", "tie")):
            raise ValueError(f"a judgement with verdict {self.verdict!r} and p_a {self.p_a} is not possible")
        if self.p_a is not None and {"a": self.p_a, "b": 1 - self.p_a}.get(self.verdict, 1.0) < 0.5:
            raise ValueError(f"verdict {self.verdict!r} contradicts p_a {self.p_a}")
        return self


class Tested(Row):
    """One check of a judge by questions whose answer is known: what was right of how many, and what that means."""

    judge: str
    check: str
    passed: bool
    right: int
    asked: int
    reason: str
    source: str = ""


class Origin(Frozen):
    """How a label came about, beside its source, rater and principle. None of it is part of what the label says.

    `raw` is where the label stands in what it was read from (file and line, the product's own id of the record, or the id
    of a judgement, whose row has both orders' log-odds and what the judge wrote), `at` when it was given, in seconds since
    1970 UTC, `conversation` the product's chat under a salted hash, `law` the digest of the principle as it read then,
    `order` which place the chosen answer stood in when it was judged, `borrowed` the id of the prompt that one of its
    answers was given to, if another (of a fused row, of several, joined by +); the tokens and `price` (in the currency of the model's table) are what the label took.
    """

    raw: str = ""
    at: float | None = None
    conversation: str = ""
    law: str = ""
    order: Literal["", "first", "second", "both"] = ""
    borrowed: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    price: Weight | None = None


class Preference(Row):
    """A soft label: `probability` that `chosen` is the better answer under `objective`, with where it came from."""

    prompt: Prompt
    chosen: str
    rejected: str
    probability: Share
    weight: Weight = 1.0
    objective: str
    principle: str = ""
    source: str = ""
    rater: str = ""
    resolution: str = ""
    """How the principle came to judge, where an AI labeler chose it."""
    origin: Origin = Origin()
    apart = frozenset({"resolution", "origin"})


class Rating(Row):
    """A thumb: one person's up or down on one answer, with the reason they gave and the answer they wanted instead."""

    prompt: Prompt
    completion: str
    up: bool
    weight: Weight = 1.0
    objective: str
    source: str = ""
    rater: str = ""
    reason: str = ""
    correction: str = ""
    origin: Origin = Origin()
    apart = frozenset({"origin"})


class Rejected(Row):
    """An input row that cannot be used: where it stands and why, one short phrase so that reasons can be counted."""

    where: str
    reason: str
    detail: str = ""
