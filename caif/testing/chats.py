"""Chat models without a model, for tests: one that echoes, one that answers by what it is asked, one that fails at first."""

import math
import re
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field, PrivateAttr

from caif.content import digest, rng
from caif.errors import CaifError
from caif.hookspecs import Answer, Question

_OPTION = re.compile(r"\(?[AB]\)?\s*")
_ROLES = {"human": "user", "ai": "assistant"}


class EchoChat(BaseChatModel):
    """A chat model without a model: the same conversation always gets the same answer.

    The reply is that of the first key of `replies` that occurs in the last message, else the message itself after `prefix`.
    """

    prefix: str = "You said: "
    replies: dict[str, str] = {}

    @property
    def _llm_type(self) -> str:
        return "caif-echo"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _said(self._reply(messages), str(messages[-1].content))

    def _reply(self, messages: list[BaseMessage]) -> str:
        said = str(messages[-1].content)
        return next((reply for key, reply in self.replies.items() if key in said), self.prefix + said)


class KeyedChat(EchoChat):
    """A chat model whose answers depend on what it is asked and on nothing else, and which can score.

    Asked for a text it gives the reply of the first key of `replies` that occurs in the last message, else a text of its
    own that no other conversation gets. As a judge of two answers it prefers the one that holds the key of greater
    `worth`, by that difference in log-odds, plus `lean` to whatever stands first; without keys it sees no difference. So
    a row that was given another row's answer is seen at once.
    """

    worth: dict[Annotated[str, Field(min_length=1)], float] = {}
    lean: float = 0.0

    def _reply(self, messages: list[BaseMessage]) -> str:
        said = str(messages[-1].content)
        if any(key in said for key in self.replies):
            return super()._reply(messages)
        if len(self._keys(said)) >= 2:
            return "A" if self._log_odds(said) > 0 else "B"
        return f"answer {digest([[m.type, str(m.content)] for m in messages])}"

    def score(self, questions: Sequence[Question]) -> list[Answer]:
        """Score options A and B by worth, and any other choices by what the conversation and they are."""
        return [self._score(question) for question in questions]

    def _score(self, question: Question) -> Answer:
        said = question.messages[-1]["content"]
        if len(question.choices) == 2 and all(_OPTION.fullmatch(choice.strip()) for choice in question.choices):
            odds = self._log_odds(said)
            logits = [odds / 2, -odds / 2]
        else:
            talk = [dict(message) for message in question.messages]
            logits = [rng("choice", digest(talk), choice).uniform(-1, 1) for choice in question.choices]
        total = math.log(math.fsum(map(math.exp, logits))) if len(logits) > 1 else 0.0
        return Answer("", "stop", tuple(min(logit - total, 0.0) for logit in logits), len(said.split()), 1)

    def _keys(self, said: str) -> list[str]:
        return sorted((key for key in self.worth if key in said), key=said.rfind)

    def _log_odds(self, said: str) -> float:
        keys = self._keys(said)
        return self.lean + (self.worth[keys[-2]] - self.worth[keys[-1]] if len(keys) >= 2 else 0.0)


class ServerFault(Exception):
    """What a client raises when a server fails, with the HTTP status that it carries."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status_code = status


class FlakyChat(BaseChatModel):
    """A chat model that fails at first, by a rule of its seed, and then answers as `inner` does.

    Each conversation fails as often as the seed says, each try with the chance `share`, with one of `statuses` in turn (0
    is an answer that cannot be read). How often does not depend on the order of the conversations nor on who asks.
    """

    inner: BaseChatModel
    share: float = 0.5
    seed: int = 0
    statuses: tuple[int, ...] = (429, 500, 503, 0)
    _tries: Counter[str] = PrivateAttr(default_factory=Counter)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "caif-flaky"

    def failures(self, talk: Sequence[dict[str, str]]) -> int:
        """Return how often a conversation fails before it is answered."""
        chance, count = rng("flaky", self.seed, digest(list(talk))), 0
        while count < 1000 and chance.random() < self.share:
            count += 1
        return count

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self._fail([{"role": _ROLES.get(m.type, m.type), "content": str(m.content)} for m in messages])
        return self.inner._generate(messages, stop, run_manager, **kwargs)

    def score(self, questions: Sequence[Question]) -> list[Answer]:
        """Score as `inner` does, after as many failures."""
        if not hasattr(self.inner, "score"):
            raise CaifError(f"{type(self.inner).__name__} gives no log-probabilities", "wrap a model that scores")
        for question in questions:
            self._fail([dict(message) for message in question.messages])
        return list(self.inner.score(questions))

    def _fail(self, talk: list[dict[str, str]]) -> None:
        key = digest(talk)
        with self._lock:
            self._tries[key] += 1
            tried = self._tries[key]
        if tried <= self.failures(talk):
            status = self.statuses[(tried - 1) % len(self.statuses)]
            raise ServerFault(status) if status else ValueError("the reply is no JSON")


def _said(reply: str, asked: str) -> ChatResult:
    cost = {"input_tokens": len(asked.split()), "output_tokens": len(reply.split())}
    message = AIMessage(
        content=reply,
        response_metadata={"finish_reason": "stop"},
        usage_metadata={**cost, "total_tokens": sum(cost.values())},
    )
    return ChatResult(generations=[ChatGeneration(message=message)])
