"""A judge that neither labelled nor is paid for: now and then it compares the policy's answers with those of the start.

A reward that is exploited rises while this judge turns away (Gao et al. 2022, 2210.10760, with a gold model in its place).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from caif.data import Prompt
from caif.training.sharing import of_the_first

if TYPE_CHECKING:
    from caif.training.reinforcing import Grpo

Prefer = Callable[[Sequence[Prompt], Sequence[str], Sequence[str]], list[float]]
"""From prompts, old answers and new ones to how likely the new are better; what cannot be judged is left out."""


class HeldJudge(TrainerCallback):
    """Writes `heldout/preference` and how many comparisons it is of into the log of every so many steps."""

    def __init__(self, trainer: "Grpo", prompts: Sequence[Prompt], prefer: Prefer, every: int) -> None:
        self.trainer, self.prompts, self.prefer, self.every = trainer, prompts, prefer, every
        self._start = self._answers()  # before a checkpoint is loaded: by the policy that training starts from

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Have it answer again, and the judge compare."""
        log = state.log_history[-1]
        if "loss" in log and state.global_step % self.every == 0:
            new = self._answers()
            judged = of_the_first(lambda: self.prefer(self.prompts, self._start, new))
            log["heldout/judged"] = len(judged)
            if judged:
                log["heldout/preference"] = sum(judged) / len(judged)

    def _answers(self) -> list[str]:
        return self.trainer.answers([prompt.chat for prompt in self.prompts])
