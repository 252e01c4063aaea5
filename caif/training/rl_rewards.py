"""What RL is paid for: one named reward a head of the reward model, and the rewards that plugins bring.

All heads read the same features, so a batch goes through the trunk once. Every head's score is standardised by its mean
and deviation over the training answers, so that a weight of 1 means the same for each.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from caif.config import Rl
from caif.errors import FAILED, CaifError, nearest
from caif.training.encoding import Chat
from caif.training.guards import checked_rewards
from caif.training.reward_model import RewardModel

RewardFunction = Callable[..., list[float | None]]
Talk = Sequence[Mapping[str, str]]


class Heads:
    """The reward model's heads over one batch at a time: the first to ask has it scored, the others read."""

    def __init__(self, model: RewardModel) -> None:
        self.model = model
        self._batch: object = None
        self._scores = torch.zeros(0)

    def of(self, name: str) -> RewardFunction:
        """Return the reward function of one head, called like its objective."""
        column, scale = self.model.objectives.index(name), self.model.scale[name]

        def reward(prompts: Sequence[Chat], completions: Sequence[Talk], **_: Any) -> list[float | None]:
            standard = (self._scored(prompts, completions)[:, column] - scale["mean"]) / scale["std"]
            return standard.tolist()

        reward.__name__ = name
        return reward

    @property
    def noise(self) -> dict[str, float]:
        """How far an ensemble's members differ on one answer, by objective, in the rewards' units; {} if it is none."""
        return {name: row["noise"] / row["std"] for name, row in self.model.scale.items() if "noise" in row}

    def _scored(self, prompts: Sequence[Chat], completions: Sequence[Talk]) -> torch.Tensor:
        answers = [said(completion) for completion in completions]
        if (batch := (list(map(list, prompts)), answers)) != self._batch:
            self._batch, self._scores = batch, self.model.scores(prompts, answers)
            for row, column in (~self._scores.isfinite()).nonzero().tolist():
                raise CaifError(
                    f"reward {self.model.objectives[column]}: row {row} is {float(self._scores[row, column])}",
                    f"the reward model cannot score this answer: {answers[row][:60]!r}",
                    code=FAILED,
                )
        return self._scores


def said(completion: Talk) -> str:
    """Return an answer's text as it is stored everywhere: without space around it."""
    return completion[-1]["content"].strip()


def of_plugin(name: str, function: Callable[..., Any]) -> RewardFunction:
    """Return a plugin's reward under its name in the run file, with every value it gives checked. None is no opinion."""

    def reward(*, prompts: Sequence[Chat], completions: Sequence[Talk], **columns: Any) -> list[float | None]:
        try:
            values = function(prompts=prompts, completions=completions, **columns)
        except Exception as error:
            raise CaifError(
                f"reward {name}: {type(error).__name__}: {error}", "mend the plugin", code=FAILED
            ) from error
        return checked_rewards(name, values, len(completions))

    reward.__name__ = name
    return reward


def refuse_unknown(names: Sequence[str], cfg: Rl) -> None:
    """Raise if a key of [rl] speaks of a reward that there is not."""
    for key, name in cfg.named:
        if name not in names:
            raise CaifError(f"rl.{key}: there is no reward {name!r}", nearest(name, names))
