"""One encoding of a conversation and an answer to it, for tuning, for reward training and for reward serving.

The ids are those of `caif.models.encode`: the prompt as it is asked, the answer as it is said, one end-of-turn token.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from caif.models.encode import answer_ids, prompt_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Chat = Sequence[Mapping[str, str]]


class Encoded(NamedTuple):
    """Token ids; the last `answer` of them are the answer's; `cut` says how many of the prompt's were cut away."""

    ids: list[int]
    answer: int
    cut: int = 0


def encode(tokenizer: "PreTrainedTokenizerBase", chat: Chat, answer: str) -> Encoded:
    """Return the ids of a conversation with its answer, however long."""
    said = answer_ids(tokenizer, answer, ended=True)
    return Encoded(prompt_ids(tokenizer, chat) + said, len(said))


def within(encoded: Encoded, limit: int) -> Encoded | None:
    """Return the ids cut to a limit at the prompt's beginning, so that the answer is whole; None if it cannot be."""
    if encoded.answer > limit:
        return None
    over = max(0, len(encoded.ids) - limit)
    return Encoded(encoded.ids[over:], encoded.answer, over)
