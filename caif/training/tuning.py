"""TRL's SFT trainer, given token ids, so that what is trained is token for token what is asked and said later."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from caif.training.encoding import Chat, encode
from caif.training.trainers import Quiet, made

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

Columns = dict[str, list[list[int]]]


def columns(tokenizer: "PreTrainedTokenizerBase", rows: Sequence[tuple[Chat, str]]) -> Columns:
    """Return TRL's columns for answers to conversations: all ids, and which of them carry loss."""
    encoded = [encode(tokenizer, chat, answer) for chat, answer in rows]
    masks = [[0] * (len(e.ids) - e.answer) + [1] * e.answer for e in encoded]
    return {"input_ids": [e.ids for e in encoded], "completion_mask": masks}


class Tuner(Quiet, SFTTrainer):
    """TRL's trainer. It calls nobody."""


def tuner(model: "PeftModel", tokenizer: "PreTrainedTokenizerBase", rows: Columns, *, options: dict[str, Any]) -> Tuner:
    """Return the trainer of a model's adapter."""
    return made(Tuner, SFTConfig, model, tokenizer, Dataset.from_dict(rows), options)
