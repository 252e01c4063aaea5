"""How every trainer of caif's is made and run: TRL's own, which calls nobody, prints nothing, stops at a NaN, and goes
on from its last checkpoint."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from transformers import PrinterCallback, Trainer, TrainerCallback

from caif.run import Tell
from caif.training.checkpoints import TENSORS, Checkpoints, Saving
from caif.training.guards import Finite
from caif.training.policy import learnt
from caif.training.progress import Progress, steps_of

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")


class Quiet(Trainer):
    """What is changed in every trainer of TRL's. It stands before TRL's class."""

    behind = 0
    """The step of the checkpoint that it goes on from."""

    def _send_telemetry(self) -> None:
        """Send nothing: nothing leaves the machine that the command line did not name."""

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write none into checkpoints."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write what is learnt, and no pickled arguments, tokenizer or copy of the reference beside it."""
        del state_dict
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.detach() for name, tensor in learnt(self.model).items()}, folder / TENSORS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Put it back; a reference stays as it was made."""
        del model
        saved = load_file(Path(resume_from_checkpoint) / TENSORS)
        with torch.no_grad():
            for name, tensor in learnt(self.model).items():
                tensor.copy_(saved[name])


class Encoded(Quiet):
    """A trainer that is given token ids."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        """Leave the ids as they are: they are what is asked and said everywhere in caif."""
        return dataset


def made(
    trainer: Callable[..., T],
    config: Callable[..., Any],
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Dataset,
    options: dict[str, Any],
    **more: Any,
) -> T:
    """Return the trainer of a model's adapter. Where it needs a reference, that is the adapter as it is now."""
    found: Any = trainer(model=model, args=config(**options), train_dataset=rows, processing_class=tokenizer, **more)
    found.remove_callback(PrinterCallback)
    return found  # type: ignore[no-any-return]


def train(
    trainer: Any,
    callbacks: Sequence[TrainerCallback],
    kept: Checkpoints | None,
    good: Callable[[], bool] = lambda: True,
) -> None:
    """Train from the last checkpoint, or from the beginning. Only steps that are `good` are kept on the way."""
    for callback in callbacks:
        trainer.add_callback(callback)
    behind = kept.last() if kept else 0
    if kept:
        trainer.add_callback(Saving(kept, good))
    trainer.behind = behind
    trainer.train(resume_from_checkpoint=str(kept.at(behind)) if kept and behind else None)


def trained(trainer: Any, label: str, tell: Tell, kept: Checkpoints | None = None) -> list[dict[str, Any]]:
    """Train, and return what was logged at each step; a number that is not finite stops it."""
    train(trainer, [Finite(label), Progress(tell, label)], kept)
    return steps_of(trainer.state.log_history)
