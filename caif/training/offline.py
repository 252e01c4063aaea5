"""What training on feedback itself has in common, whether on pairs (DPO) or on thumbs (KTO)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from caif.data import Preference, Rating
from caif.errors import CaifError, nearest
from caif.models.encode import answer_ids, prompt_ids
from caif.training.encoding import Chat

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

R = TypeVar("R", Preference, Rating)


class Columns(NamedTuple):
    """TRL's columns of token ids; how many rows lost the beginning of their prompt, and how many were too long."""

    rows: list[dict[str, Any]]
    cut: int
    lost: int


class Together(NamedTuple):
    """The ids of a prompt and of answers to it, and how many of the prompt's were cut away at its beginning."""

    prompt: list[int]
    answers: list[list[int]]
    cut: int


def together(tokenizer: "PreTrainedTokenizerBase", chat: Chat, answers: Sequence[str], limit: int) -> Together | None:
    """Return a prompt cut so that the longest answer fits behind it; None if none of the prompt would be left."""
    said = [answer_ids(tokenizer, answer, ended=True) for answer in answers]
    asked = prompt_ids(tokenizer, chat)
    room = limit - max(map(len, said))
    return Together(asked[-room:], said, max(len(asked) - room, 0)) if room > 0 else None


def counted(rows: Sequence[R], weights: Mapping[str, float], section: str, what: str) -> list[R]:
    """Return the rows to train on: those of the training split whose weight, times their objective's, is above 0."""
    objectives = {row.objective for row in rows}
    for name in weights:
        if name not in objectives:
            raise CaifError(f"{section}.weights: no {what} is about {name!r}", nearest(name, objectives))
    return [row for row in rows if row.prompt.split == "train" and row.weight * weights.get(row.objective, 1.0) > 0]
