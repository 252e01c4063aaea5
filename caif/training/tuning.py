"""TRL's SFT trainer, given token ids, so that what is trained is token for token what is asked and said later."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from transformers import PrinterCallback
from trl import SFTConfig, SFTTrainer

from caif.run import Tell
from caif.training.encoding import Chat, encode
from caif.training.guards import Finite
from caif.training.progress import Progress, steps_of

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

Columns = dict[str, list[list[int]]]


def columns(tokenizer: "PreTrainedTokenizerBase", rows: Sequence[tuple[Chat, str]]) -> Columns:
    """Return TRL's columns for answers to conversations: all ids, and which of them carry loss."""
    encoded = [encode(tokenizer, chat, answer) for chat, answer in rows]
    masks = [[0] * (len(e.ids) - e.answer) + [1] * e.answer for e in encoded]
    return {"input_ids": [e.ids for e in encoded], "completion_mask": masks}


class Quiet(SFTTrainer):
    """The trainer without its call home: nothing leaves the machine that the command line did not name."""

    def _send_telemetry(self) -> None:
        """Send nothing."""


def tune(
    model: "PeftModel", tokenizer: "PreTrainedTokenizerBase", rows: Columns, *, options: dict[str, Any], tell: Tell
) -> list[dict[str, Any]]:
    """Train the model's adapter, and return what was logged at each step."""
    trainer = Quiet(
        model=model,
        args=SFTConfig(**options),
        train_dataset=Dataset.from_dict(rows),
        processing_class=tokenizer,
        callbacks=[Finite("sft"), Progress(tell, "sft")],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return steps_of(trainer.state.log_history)
