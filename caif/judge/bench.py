"""A judge at work: the model, the method by which its verdict is read, and what one reading of it is."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple, TypedDict, get_args

from caif.data import Verdict
from caif.errors import CaifError
from caif.hookspecs import Answer, Model, Params, Question, Request

Ask = Callable[[Model, Sequence[Request], Params], list[Answer]]
Score = Callable[[Model, Sequence[Question]], list[Answer]]
Method = Literal["logprobs", "reasoned", "votes", "pointwise", "rubric", "score", "likelihood"]
METHODS: tuple[Method, ...] = get_args(Method)
Orders = Literal["mean_logit", "mean_prob", "agree_only"]
Wording = Literal["paper", "principle-last", "raw"]

MIN_MASS = 0.1
"""How much of its probability a judge has to put on the options at least, for its verdict to be one."""
DEAD_BAND = 0.001
"""A probability no further from one half than this decides nothing: a server's rounding alone can move it so far."""
FLOOR = -100.0
"""Less likely than this is not told apart, so that log-odds stay finite where a server says minus infinity."""
TIMES: dict[str, int] = {"votes": 4, "reasoned": 1}
"""How often a judge that writes is asked, order by order: votes need several, more rationales made no label better
(Lee et al. 2023, 2309.00267: self-consistency degrades)."""


class Bench(NamedTuple):
    """A judge at work: the model, how its verdict is read, and the two ways to reach it through the ledger.

    `orders` says how both orders become one probability, `temperature` divides the log-odds (calibration), `clamp` keeps
    the probability between 1 - clamp and clamp (Bai et al. 2022, 4.1: 0.6 for labels from reasoning), `not_applicable`
    offers the judge a third option, `votes` is how often a judge that writes is asked an order. Within `dead_band` of
    one half is a tie.
    """

    model: Model
    ask: Ask
    score: Score
    method: Method = "logprobs"
    votes: int | None = None
    min_mass: float = MIN_MASS
    orders: Orders = "mean_logit"
    clamp: float | None = None
    not_applicable: bool = False
    wording: Wording = "paper"
    temperature: float = 1.0
    dead_band: float = DEAD_BAND

    @property
    def times(self) -> int:
        """How often a judge that writes is asked an order."""
        return self.votes or TIMES.get(self.method, 1)

    @property
    def letter_only(self) -> bool:
        """Whether the verdict has to be a letter: one token of the reply is seen, or it is written."""
        return self.method == "votes" or self.model.first_token_only


class Reading(NamedTuple):
    """One order's outcome, or one answer's: log-odds, the mass on the options, or what went wrong.

    `idle` is the log-odds that the principle does not apply, against both other options.
    """

    logit: float
    mass: float = 1.0
    verdict: Verdict | None = None
    reason: str = ""
    idle: float = -math.inf
    said: tuple[str, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    at: float | None = None

    def paid(self, answers: Iterable[Answer]) -> "Reading":
        """Return the reading with what these answers cost added to it, and when the last of them was given."""
        return self._replace(**spent([self, *answers]))


class Spent(TypedDict):
    """What answers cost together, and when the last of them was given."""

    tokens_in: int
    tokens_out: int
    at: float | None


def spent(parts: Sequence[Answer | Reading]) -> Spent:
    """Return what all these cost together, as the fields that hold it."""
    into, out, at = 0, 0, None
    for part in parts:
        into, out = into + part.tokens_in, out + part.tokens_out
        at = part.at if at is None or (part.at is not None and part.at > at) else at
    return {"tokens_in": into, "tokens_out": out, "at": at}


Outcome = tuple[Reading, Reading | None]
"""What is known of a comparison: the readings in the orders a, b and b, a; or one reading where there is no order."""


def failure(answer: Answer) -> Reading:
    """Return the verdict that a failed answer is."""
    kind: Verdict = answer.finish if answer.finish in ("refused", "filtered") else "error"  # type: ignore[assignment]
    return Reading(0, 0, kind, answer.detail)


def masses(answer: Answer, floor: float) -> tuple[list[float], Reading | None]:
    """Return the log-probabilities of a question's choices, and a failure if they are none or too little is on them."""
    if answer.failed:
        return [], failure(answer)
    if not answer.logprobs or any(math.isnan(value) or value > 0.01 for value in answer.logprobs):  # rounding is over 0
        return [], Reading(0, 0, "error", f"no log-probabilities: {answer.logprobs}")
    values = [max(value, FLOOR) for value in answer.logprobs]
    mass = math.fsum(map(math.exp, values))
    return values, Reading(0, mass, "invalid", f"mass {mass:.3f} on the options") if mass < floor else None


def whole_strings_only(bench: Bench, why: str) -> None:
    """Refuse a model that shows one token of its reply, or none, where whole texts have to be scored."""
    if bench.model.first_token_only:
        raise CaifError(f"{bench.model.id}: {why} needs whole texts scored", "use a model on this machine (hf:, embedded:)")
