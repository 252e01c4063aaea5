"""An OpenAI-compatible server as chat model and `Scorer`: the log-probabilities of its first token, or an error."""

from collections.abc import Sequence

from langchain_openai import ChatOpenAI

from caif.errors import CaifError
from caif.hookspecs import Answer, Question
from caif.models.remote import read_message

TOP = 20


class ScoringChat(ChatOpenAI):
    """ChatOpenAI that also scores one-token choices. A server that drops log-probabilities is an error, never 0.5."""

    def score(self, questions: Sequence[Question]) -> list[Answer]:
        """Return each choice's log-probability as first token of the reply."""
        return [self._score_one(question) for question in questions]

    def _score_one(self, question: Question) -> Answer:
        talk = [dict(m) for m in question.messages]
        message = self.invoke(talk, logprobs=True, top_logprobs=TOP, max_tokens=1, temperature=0)
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
        # A choice that is not listed is less likely than the last listed token; that bound is what is known.
        floor = min(listed.values())
        values = tuple(listed.get(choice, floor) for choice in question.choices)
        if not any(choice in listed for choice in question.choices):
            return answer._replace(finish="stop", logprobs=tuple(-100.0 for _ in question.choices))
        return answer._replace(finish="stop", logprobs=values)
