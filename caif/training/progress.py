"""Tell how far a trainer has come, and nothing else: transformers' own bars and prints are switched off."""

import warnings
from typing import Any

from datasets import disable_progress_bars
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.utils import logging

from caif.run import Tell

SHOWN = ("loss", "reward", "kl")
UNTIMED = ("step_time", "epoch", "num_tokens")


class Progress(TrainerCallback):
    """Passes each logged step on to `Tell.step`."""

    def __init__(self, tell: Tell, label: str) -> None:
        self.tell, self.label = tell, label

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Say the step with the numbers worth seeing."""
        shown = {name: float(logs[name]) for name in SHOWN if logs and logs.get(name) is not None}
        if shown:
            self.tell.step(self.label, state.global_step, state.max_steps, **shown)


def quiet() -> None:
    """Switch off the bars of datasets and transformers; what is worth telling goes through `Tell`."""
    disable_progress_bars()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", "`.*` is deprecated", FutureWarning, "transformers")  # TRL uses the old names


def steps_of(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was logged step by step, without what the clock says: the same training gives the same numbers."""
    return [{k: v for k, v in logs.items() if k not in UNTIMED} for logs in history if "loss" in logs]
