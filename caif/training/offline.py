"""What training on feedback itself has in common, whether on pairs (DPO) or on thumbs (KTO)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from caif.models.encode import answer_ids, prompt_ids
from caif.run import Tell
from caif.training.encoding import Chat
from caif.training.guards import Finite
from caif.training.progress import Progress, steps_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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


def trained(trainer: Any, label: str, tell: Tell) -> list[dict[str, Any]]:
    """Train, and return what was logged at each step; a number that is not finite stops it."""
    trainer.add_callback(Finite(label))
    trainer.add_callback(Progress(tell, label))
    trainer.train()
    return steps_of(trainer.state.log_history)
