"""An OpenAI-compatible server as chat model and `Scorer`: the log-probabilities of its first token, or an error."""

import math
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_openai import ChatOpenAI

from caif.errors import CaifError
from caif.hookspecs import Answer, Question
from caif.models.replies import read_message

TOP = 20
FIRST_TOKEN: dict[str, Any] = {"logprobs": True, "top_logprobs": TOP, "max_tokens": 1, "temperature": 0}
NEVER = -100.0


class ScoringChat(ChatOpenAI):
    """ChatOpenAI that also scores one-token choices. A server that drops log-probabilities is an error, never 0.5."""

    def score(self, questions: Sequence[Question]) -> list[Answer]:
        """Return each choice's log-probability as first token of the reply."""
        return [self._read(q, self.invoke([dict(m) for m in q.messages], **FIRST_TOKEN)) for q in questions]

    async def ascore(self, question: Question) -> Answer:
        """Return the same for one question, without holding a thread while the server thinks."""
        return self._read(question, await self.ainvoke([dict(m) for m in question.messages], **FIRST_TOKEN))

    def _read(self, question: Question, message: BaseMessage) -> Answer:
        answer = read_message(message)
        if answer.failed:
            return answer
        content = (message.response_metadata.get("logprobs") or {}).get("content") or []
        if not content or not content[0].get("top_logprobs"):
            raise CaifError(
                f"the server of {self.model_name} returns no log-probabilities",
                'set method = "votes" for this source, or use a server that returns top_logprobs',
            )
        listed = {top["token"]: float(top["logprob"]) for top in content[0]["top_logprobs"]}
        # A choice that is not listed is less likely than the last listed token and has at most what the listed ones
        # leave over; those bounds are what is known. Without the second, a server that lists one would look undecided.
        left = 1 - sum(map(math.exp, listed.values()))
        bound = min(*listed.values(), math.log(left)) if left > 0 else NEVER
        if not any(choice in listed for choice in question.choices):
            bound = NEVER
        return answer._replace(finish="stop", logprobs=tuple(listed.get(choice, bound) for choice in question.choices))
