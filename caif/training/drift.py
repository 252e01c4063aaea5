"""From texts to the features that the reward heads read, for the check before RL and for the watch at each of its steps.

The trunk is the reward model's own and frozen: the policy's states would change with the policy that is to be watched.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from accelerate.utils import gather_object
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from caif.coverage.monitor import Known, monitor
from caif.coverage.rows import Side
from caif.coverage.space import Floats
from caif.data import Prompt
from caif.models.encode import answer_ids
from caif.run import Tell
from caif.store import Artifact
from caif.training.encoding import Encoded, encode, within
from caif.training.reward_model import RewardModel
from caif.training.shared_trunk import TrunkOf
from caif.training.trunk import Track, Trunk

if TYPE_CHECKING:
    from caif.training.reinforcing import Grpo
    from caif.training.rloo import Rloo


class Overheard(Trunk):
    """A trunk that remembers the last rows it was asked for and what it made of them, so a look costs no second pass."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__(trunk.model, trunk.tokenizer)
        self.trunk, self.seen = trunk, torch.zeros(0)
        self.rows: Sequence[Encoded] = ()

    def all_features(self, rows: Sequence[Encoded], track: Track | None = None) -> Tensor:
        """Return the features as ever."""
        self.rows, self.seen = rows, self.trunk.all_features(rows, track)
        return self.seen


class Listening:
    """What loads a reward model's trunk, and keeps it to be overheard."""

    def __init__(self, trunk_of: TrunkOf = Trunk.load) -> None:
        self.trunk_of = trunk_of
        self.heard: Overheard | None = None

    def __call__(self, folder: str, adapter: Path | None = None) -> Trunk:
        """Load it. Only the first is listened to: a gold model may have another."""
        trunk = self.trunk_of(folder, adapter)
        if self.heard is None:
            trunk = self.heard = Overheard(trunk)
        return trunk

    @property
    def trunk(self) -> Overheard:
        """What is listened to."""
        assert self.heard is not None, "nothing was loaded"
        return self.heard

    @property
    def features(self) -> Floats:
        """What the trunk made of the last rows."""
        return _numbers(self.trunk.seen)

    @property
    def lengths(self) -> Floats:
        """How many tokens the last answers have."""
        return _lengths(self.trunk.rows)

    @property
    def answers(self) -> list[str]:
        """The last answers as texts."""
        ids = [row.ids[-row.answer :] for row in self.trunk.rows]
        return self.trunk.tokenizer.batch_decode(ids, skip_special_tokens=True)


def prompt_side(model: RewardModel, prompts: Sequence[Prompt], track: Track | None = None) -> Side:
    """Return prompts as texts to compare: what was said alone, without the template that all of them share."""
    encoded = [_plain(model, prompt) for prompt in prompts]
    ids = [prompt.id for prompt in prompts]
    return Side(ids, ids, _numbers(model.trunk.all_features(encoded, track)), _lengths(encoded))


class Scored(NamedTuple):
    """Answers to compare, with their rewards [answers, objectives] in the units that RL is paid in."""

    side: Side
    rewards: Floats


def answer_side(model: RewardModel, heard: Listening, rows: Sequence[tuple[Prompt, str]]) -> Scored:
    """Return answers under their prompts as the reward model sees them, which was loaded by what listens."""
    prompts, texts = [prompt for prompt, _ in rows], [text for _, text in rows]
    rewards = _numbers(model.rewards(prompts, texts))  # first, as the listening trunk has its features from it
    side = Side([f"{p.id} {text}" for p, text in rows], [p.id for p in prompts], heard.features, heard.lengths)
    return Scored(side, rewards)


def readable(model: RewardModel, row: tuple[Prompt, str]) -> bool:
    """Whether the reward model can read an answer whole."""
    return within(encode(model.trunk.tokenizer, row[0].chat, row[1]), model.max_length) is not None


def _plain(model: RewardModel, prompt: Prompt) -> Encoded:
    text = "\n\n".join(message.content for message in prompt.messages)
    ids = answer_ids(model.trunk.tokenizer, text, ended=True)[-model.max_length :]
    return Encoded(ids, len(ids))


def _lengths(rows: Sequence[Encoded]) -> Floats:
    return np.array([row.answer for row in rows], dtype=np.float64)


def _numbers(values: Tensor) -> Floats:
    return values.detach().cpu().double().numpy()


def measure_drift(trainer: "Grpo | Rloo", heard: Listening, covered: Artifact | None, tell: Tell) -> None:
    """Have each step measured, where the check before RL has kept what to measure by."""
    if covered is not None and (known := Known.find(covered.model)) is not None:
        trainer.add_callback(Drift(trainer, heard, known, covered.facts["config"]["written"]["warn"], tell))


class Drift(TrainerCallback):
    """Writes what `monitor` says of a step's answers into its log, and warns once if more than `warn` of them are outside.

    To stop is for the guards: `rl.guards.outside` is a limit on what is written here.
    """

    def __init__(self, trainer: "Grpo | Rloo", heard: Listening, known: Known, warn: float, tell: Tell) -> None:
        self.trainer, self.heard, self.known, self.warn, self.tell = trainer, heard, known, warn, tell
        self._warned = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """After a checkpoint, do not say again what was said before it."""
        self._warned = any(log.get("coverage/outside", 0.0) > self.warn for log in state.log_history)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Measure the batch that the step was trained on, of every process; one batch can serve several steps."""
        log = state.log_history[-1]
        if "loss" not in log or self.trainer.sampled is None:
            return
        rewards = _numbers(self.trainer.sampled.rewards)[:, : self.known.scale.shape[1]]
        answers = gather_object(self.heard.answers)
        features, lengths = (np.concatenate(gather_object([own])) for own in (self.heard.features, self.heard.lengths))
        log.update(monitor(self.known, answers, features, lengths, rewards))
        if log["coverage/outside"] > self.warn and not self._warned:
            self._warned = True
            self.tell.warn(
                f"rl: step {state.global_step}: {log['coverage/outside']:.0%} of the answers are unlike any that the reward "
                "model was trained on: label such answers, or lower rl.guards.outside to stop there"
            )
