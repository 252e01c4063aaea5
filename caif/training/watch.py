"""Guard RL while it runs: stop it when a limit is passed, and take the policy back to the last step that was within all."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from caif.sections.rl import Guards
from caif.training.answers import Answers
from caif.training.limits import HACKED, Finding, passed, risen, tripped
from caif.training.policy import learnt
from caif.training.schedules import next_beta

if TYPE_CHECKING:
    from caif.training.reinforcing import Grpo

SHOWN = 3


class Trip(NamedTuple):
    """Why RL was stopped, and which step's policy is kept; 0 is the start's."""

    guard: str
    step: int
    what: str
    objective: str
    rows: list[str]
    kept: int

    @property
    def said(self) -> str:
        """All of it in one line."""
        paid = f"; reward {self.objective} rose most" if self.objective else ""
        rows = f"; see the answers to {', '.join(self.rows)}" if self.rows else ""
        suspected = ": reward hacking suspected" if self.guard in HACKED else ""
        return f"rl: step {self.step}: {self.what}{suspected}{paid}{rows}"


class Watch(TrainerCallback):
    """Looks at each step's log. Adapters are small, so the last good one is kept in memory."""

    def __init__(self, trainer: "Grpo", guards: Guards) -> None:
        self.trainer, self.guards = trainer, guards
        self.trip: Trip | None = None
        self._steps: list[dict[str, Any]] = []
        self._good: dict[str, Tensor] = {}
        self._good_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep the start; after a checkpoint, that is the checkpoint's step, and what was logged before is known."""
        for log in state.log_history:
            self._remember(log)
        self._keep(state.global_step)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Keep a good step; stop at a bad one."""
        log = state.log_history[-1]
        if "loss" not in log or self.trip is not None:
            return
        self._remember(log)
        if (found := tripped(self._steps, self.guards)) is not None:
            self.trip = self._trip(found, state.global_step)
            control.should_training_stop = True
        elif passed(self._steps[0], self._steps[-1], self.guards):
            self._keep(state.global_step)

    def good(self) -> bool:
        """Whether the policy is as it was after the last good step."""
        return self.trip is None and self._good_step == self.trainer.state.global_step

    def broken(self, error: str, step: int) -> None:
        """Note that a step could not be made at all."""
        self.trip = Trip("finite", step, error, "", [], self._good_step)

    def restore(self) -> None:
        """Give the policy the weights of the last good step."""
        with torch.no_grad():
            for name, parameter in learnt(self.trainer.model).items():
                parameter.copy_(self._good[name])

    def _remember(self, log: Mapping[str, Any]) -> None:
        """Note a step. Answers serve several updates: what was measured of them holds until there are others, but for the
        judge's word."""
        if "loss" in log:
            known = {k: v for k, v in self._steps[-1].items() if not k.startswith("heldout/")} if self._steps else {}
            self._steps.append({**known, **log})

    def _keep(self, step: int) -> None:
        self._good, self._good_step = {n: p.detach().clone() for n, p in learnt(self.trainer.model).items()}, step

    def _trip(self, found: Finding, step: int) -> Trip:
        weights = self.trainer.paid
        objective = risen(self._steps[0], self._steps[-1], weights) if found.guard != "spread" else ""
        rows = rows_of(found.guard, self.trainer.sampled, list(weights), objective)
        return Trip(found.guard, step, found.what, objective, rows, self._good_step)


def rows_of(guard: str, answers: Answers | None, names: list[str], objective: str) -> list[str]:
    """Return the prompts, by the beginning of their ids, whose answers show best what a guard found."""
    if answers is None:
        return []
    by: Mapping[str, Tensor] = {
        "longer": answers.length, "shorter": -answers.length,
        "repetition": answers.repeated, "refusals": answers.refusing,
    }  # fmt: skip
    value = by.get(guard)
    if value is None and objective in names:
        value = answers.rewards[:, names.index(objective)].nan_to_num(-torch.inf)
    if value is None:
        return []
    order = value.argsort(descending=True, stable=True).tolist()
    return [prompt[:12] for prompt in dict.fromkeys(answers.prompts[n] for n in order) if prompt][:SHOWN]


class Steering(TrainerCallback):
    """Steers beta towards a KL."""

    def __init__(self, trainer: "Grpo", target: float) -> None:
        self.trainer, self.target, self.first = trainer, target, trainer.beta

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """After a checkpoint, go on from the beta that its last step came to."""
        for log in state.log_history:
            if "beta" in log:
                self.trainer.beta = next_beta(log["beta"], log["kl_sequence"], self.target, self.first)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Log the beta that the step had, and set the next one's."""
        log = state.log_history[-1]
        if "loss" in log and log.get("kl_sequence") is not None:
            log["beta"] = self.trainer.beta
            self.trainer.beta = next_beta(self.trainer.beta, log["kl_sequence"], self.target, self.first)
