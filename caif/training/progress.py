"""Tell how far a trainer has come, and nothing else: transformers' own bars and prints are switched off."""

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from caif.run import Tell

SHOWN = ("loss", "reward", "kl")
UNTIMED = ("step_time", "epoch", "num_tokens")


class Progress(TrainerCallback):
    """Passes each logged step on to `Tell.step`."""

    def __init__(self, tell: Tell, label: str) -> None:
        self.tell, self.label = tell, label

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002 - transformers' signature
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        logs: dict[str, Any] | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Say the step with the numbers worth seeing."""
        shown = {name: float(logs[name]) for name in SHOWN if logs and logs.get(name) is not None}
        if shown:
            self.tell.step(self.label, state.global_step, state.max_steps, **shown)


def steps_of(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was logged step by step, without what the clock says: the same training gives the same numbers."""
    return [{k: v for k, v in logs.items() if k not in UNTIMED} for logs in history if "loss" in logs]
