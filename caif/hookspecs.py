"""The plugin author's manual: every hook, what it is given, and what it must give back.

A plugin is a module (one file in a `plugins/` folder, or an installed package with an entry point in group `caif`) with
functions marked `@caif.hookimpl`. Each of the hooks that add parts returns `{name: factory}`. The run file names the part
(`use = "name"`) and its options, which are checked against the factory's signature; so a factory is a function with
typed keyword options that returns the part itself:

    import caif

    def polite(weight: float = 1.0):
        def source(context: caif.FeedbackContext):
            for revision in context.revisions:
                ...
                yield caif.Preference(...)
        return source

    @caif.hookimpl
    def caif_feedback_sources():
        return {"polite": polite}

caif's own parts come through the same hooks. A hook implementation takes no default arguments.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pluggy

from caif.config import ModelSpec
from caif.constitution import Constitution
from caif.data import Completion, Judgement, Message, Preference, Prompt, Rating, Rejected, Revision, Tested

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

hookspec = pluggy.HookspecMarker("caif")
hookimpl = pluggy.HookimplMarker("caif")

Feedback = Preference | Rating | Judgement | Rejected | Tested
Reader = Callable[[Path], Iterable[Preference | Rating | Rejected]]
"""Reads one export of one product, row by row; a row it cannot use becomes a `Rejected` with file, line and reason."""


# -- what a part works with -------------------------------------------------------------------------------------------


class Params(NamedTuple):
    """How an answer is sampled. All of it is part of the answer's identity in the ledger."""

    temperature: float = 1.0
    max_tokens: int = 256
    stop: tuple[str, ...] = ()


class Request(NamedTuple):
    """A conversation to answer. `row` is the id of the row that asks; `sample` tells repeated samples apart."""

    row: str
    messages: Sequence[Mapping[str, str]]
    sample: int = 0


class Question(NamedTuple):
    """A conversation and the replies whose log-probabilities are wanted, as whole strings.

    `temperature` is that of the distribution they are wanted under: where answers were sampled at another one than 1,
    the KL between two policies is that of the distributions that were sampled from.
    """

    row: str
    messages: Sequence[Mapping[str, str]]
    choices: tuple[str, ...]
    temperature: float = 1.0


class Answer(NamedTuple):
    """What a model gave: a text, or for a `Question` one log-probability a choice, and what it cost."""

    text: str
    finish: str
    logprobs: tuple[float, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    detail: str = ""
    at: float | None = None
    """When it was given, in seconds since 1970 UTC: the ledger writes it down, and says the same ever after."""

    @property
    def failed(self) -> bool:
        """Whether this is no answer but the account of a failure."""
        return self.finish not in ("stop", "length")


class Scorer(Protocol):
    """A model that can say how likely given replies are. Chat models that can do it have this one extra method."""

    def score(self, questions: Sequence[Question]) -> list[Answer]:
        """Return, for each question in order, the log-probability of each choice as the whole reply (natural log)."""
        ...


class Model(NamedTuple):
    """A chat model under its resolved name: `id` says exactly which weights or endpoint answered."""

    id: str
    chat: "BaseChatModel"
    scorer: Scorer | None = None
    first_token_only: bool = False
    """Whether the scorer sees one token of the reply, as servers' log-probabilities do, and not whole strings."""
    key_env: str = ""
    """The name of the variable that holds the server's key, for the message when the server refuses it."""
    price_in: float | None = None
    price_out: float | None = None

    def price(self, tokens_in: int, tokens_out: int) -> float | None:
        """Return what so many tokens cost, None if the run file gives the model no price."""
        if self.price_in is None and self.price_out is None:
            return None
        return ((self.price_in or 0.0) * tokens_in + (self.price_out or 0.0) * tokens_out) / 1e6


@dataclass(frozen=True, kw_only=True)
class FeedbackContext:
    """Everything a feedback source may use.

    `ask` and `score` go through the ledger: an answer is stored before it is returned and never paid for twice. They
    return one Answer a request, in order; a failed one has `failed` set and must not become a preference. `model` takes
    an option of type `caif.ModelSpec`. `read(format, path, **options)` opens an export with a registered format.
    `prompts` are the training prompts: held-out ones are never shown to a source. `samples` of one prompt stand together.
    Rows are read from disk as they are asked for, a part at a time; so going through them holds no more than a part.
    """

    source: str
    prompts: Sequence[Prompt]
    samples: Sequence[Completion]
    revisions: Sequence[Revision]
    constitution: Constitution
    model: Callable[[ModelSpec], Model]
    ask: Callable[[Model, Sequence[Request], Params], list[Answer]]
    score: Callable[[Model, Sequence[Question]], list[Answer]]
    read: Callable[..., Iterable[Preference | Rating | Rejected]]
    seed: int


FeedbackSource = Callable[[FeedbackContext], Iterable[Feedback]]
PromptSource = Callable[[], Iterable[Prompt | Rejected]]
Metric = Callable[[Prompt, str], float]
Reward = Callable[..., list[float | None]]


@dataclass(frozen=True, kw_only=True)
class StageEvent:
    """What an observer is told: which stage, its key, its counts when finished, and whether it was found in the store."""

    run: str
    stage: str
    key: str
    reused: bool = False
    seconds: float = 0.0
    counts: Mapping[str, int] | None = None


# -- parts: each returns {name: factory} ------------------------------------------------------------------------------


@hookspec
def caif_feedback_sources() -> Mapping[str, Callable[..., FeedbackSource]]:  # type: ignore[empty-body]
    """Feedback sources: `source(context)` yields Preference, Rating, Judgement and Rejected rows. The main hook."""


@hookspec
def caif_feedback_formats() -> Mapping[str, Callable[..., Reader]]:  # type: ignore[empty-body]
    """Readers of feedback exports: `reader(path)` yields Rating, Preference and Rejected rows."""


@hookspec
def caif_chat_models() -> Mapping[str, Callable[..., "BaseChatModel"]]:  # type: ignore[empty-body]
    """Chat models by URI scheme: the factory for `scheme` is called with what follows `scheme:`, then the options."""


@hookspec
def caif_prompts() -> Mapping[str, Callable[..., PromptSource]]:  # type: ignore[empty-body]
    """Prompt sources: `source()` yields Prompt and Rejected rows."""


@hookspec
def caif_rewards() -> Mapping[str, Callable[..., Reward]]:  # type: ignore[empty-body]
    """Rewards for RL in TRL's own signature: `reward(prompts, completions, **columns)` gives a float or None a row."""


@hookspec
def caif_metrics() -> Mapping[str, Callable[..., Metric]]:  # type: ignore[empty-body]
    """Metrics of an answer: `metric(prompt, answer)` gives a number; evaluation compares the means of two policies."""


@hookspec
def caif_trainers() -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Reward or RL trainers: `trainer = "name"` in [reward] or [rl]. The part is called like the stage it replaces.

    The factory takes no options. The part writes its model into `work.draft.model`, in the layout of the stage's own.
    """


@hookspec
def caif_recipes() -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Other recipes: the factory is the recipe itself; `recipe(run)` builds stages and returns the last artifact."""


# -- observers: told, cannot change a run nor fail it -----------------------------------------------------------------


@hookspec
def caif_stage_started(event: StageEvent) -> None:
    """A stage begins to be built."""


@hookspec
def caif_stage_finished(event: StageEvent) -> None:
    """A stage is done, or was found done in the store."""


__all__ = [
    "Answer", "Feedback", "FeedbackContext", "FeedbackSource", "Message", "Metric", "Model", "Params", "PromptSource",
    "Question", "Reader", "Request", "Reward", "Scorer", "StageEvent", "hookimpl", "hookspec",
]  # fmt: skip
