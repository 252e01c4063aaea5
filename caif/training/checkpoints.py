"""Checkpoints inside a training, so that what is killed goes on from the last of them as if it never had been.

A checkpoint is a folder: what is learnt as safetensors, what transformers keeps of optimiser and random numbers, and
`state.json`, which is written last, so that its existence means the checkpoint was whole; it has each file's digest,
since transformers goes on without one that is missing. It lies in the home folder under the stage's key, and nothing else is
ever read as one: no file that a user names gets there.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from caif import processes
from caif.errors import CaifError
from caif.options import content_digest
from caif.run import Work
from caif.store import settle, write_text
from caif.training.sharing import agreed, wait_for_all

STATE, TENSORS = "state.json", "learnt.safetensors"


class Remembering(Protocol):
    """What has a state of its own while a training lasts. The state is plain JSON."""

    def state(self) -> Any:
        """Return it."""

    def resume(self, state: Any) -> None:
        """Take it up again."""


@dataclass
class Checkpoints:
    """Where the checkpoints of one training lie, and how many seconds are between two. `counts` are its stage's."""

    folder: Path
    every: float
    counts: dict[str, int]
    memory: Remembering | None = None
    _written: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, work: Work, memory: Remembering | None = None) -> Self:
        """Return those of a stage."""
        return cls(work.draft.checkpoints, work.engine.settings.checkpoint_every, work.draft.counts, memory)

    def part(self, name: str) -> "Checkpoints":
        """Return those of one of several trainings of a stage."""
        return replace(self, folder=self.folder / name)

    @property
    def due(self) -> bool:
        """Whether it is time for another. All processes are told what the first finds."""
        return agreed(time.monotonic() - self._written >= self.every)

    def at(self, step: int) -> Path:
        """Return the folder of a step's checkpoint."""
        return self.folder / f"{PREFIX_CHECKPOINT_DIR}-{step}"

    def finish(self, step: int) -> None:
        """Make a folder that has been filled a checkpoint, and throw those before it away."""
        remembered = self.memory.state() if self.memory else None
        here = self.at(step)
        settle(here)
        state = {"step": step, "counts": self.counts, "memory": remembered, "files": _digests(here)}
        write_text(here / STATE, json.dumps(state))
        for other in self.folder.iterdir():
            if other != here:
                shutil.rmtree(other, ignore_errors=True)
        self._written = time.monotonic()

    def last(self) -> int:
        """Return the last whole checkpoint's step, and take up its state; 0 if there is none."""
        with self._readable():
            steps = [int(file.parent.name.rpartition("-")[2]) for file in self.folder.glob(f"*/{STATE}")]
            if not steps:
                return 0
            here = self.at(max(steps))
            state = json.loads((here / STATE).read_text(encoding="utf-8"))
            there = _digests(here)
            if other := [name for name, digest in state["files"].items() if there.get(name) != digest]:
                raise ValueError(f"not as it was written: {', '.join(other)}")
            self.counts.update(state["counts"])
            if self.memory:
                self.memory.resume(state["memory"])
            return int(state["step"])

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
            why = f"{type(error).__name__}: {error}"
            raise CaifError(
                f"{self.folder}: a checkpoint here is damaged ({why:.200})",
                "delete the folder: the training begins anew",
            ) from None

    def keep(self, step: int, tensors: Sequence[Tensor], optimizer: torch.optim.Optimizer) -> None:
        """Write a checkpoint of a loop of caif's own, if one is due: what it learns, and what its optimiser remembers of each."""
        if self.due and processes.first():
            self.at(step).mkdir(parents=True, exist_ok=True)
            remembered = optimizer.state_dict()["state"]
            save_file(
                {str(n): tensor.detach().contiguous() for n, tensor in enumerate(tensors)}
                | {f"{n}/{name}": value for n, values in remembered.items() for name, value in values.items()},
                self.at(step) / TENSORS,
            )
            self.finish(step)

    @torch.no_grad()
    def take_up(self, tensors: Sequence[Tensor], optimizer: torch.optim.Optimizer) -> int:
        """Put back what `keep` wrote last, and return its step, 0 if there is none."""
        if step := self.last():
            remembered: dict[int, dict[str, Tensor]] = {}
            with self._readable():
                for name, value in load_file(self.at(step) / TENSORS).items():
                    number, _, what = name.partition("/")
                    if what:
                        remembered.setdefault(int(number), {})[what] = value
                    else:
                        tensors[int(number)].copy_(value)
                optimizer.load_state_dict(optimizer.state_dict() | {"state": remembered})
        return step


def _digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file of a checkpoint, but for its state."""
    files = [file for file in folder.iterdir() if file.is_file() and file.name != STATE]
    return {file.name: content_digest(file) for file in files}


class Saving(TrainerCallback):
    """Has a trainer write a checkpoint when one is due: after a good step, and never between updates by the same answers."""

    def __init__(self, kept: Checkpoints, good: Callable[[], bool]) -> None:
        self.kept, self.good = kept, good

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Say whether this step is to be kept; the last one is kept as the model that it makes."""
        fresh = state.global_step % getattr(args, "num_iterations", 1) == 0
        if "loss" in state.log_history[-1] and fresh and state.global_step < state.max_steps and self.good():
            control.should_save = self.kept.due

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Make what every process has written a checkpoint."""
        wait_for_all()
        if args.should_save:
            self.kept.finish(state.global_step)
