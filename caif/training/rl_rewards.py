"""What RL is paid for: one named reward a head of the reward model, and the rewards that plugins bring.

All heads read the same features, so a batch goes through the trunk once. Every head's score is standardised by its mean
and deviation over the training answers, so that a weight of 1 means the same for each.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

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


def of_plugin(name: str, function: Callable[..., Any], *, may_abstain: bool) -> RewardFunction:
    """Return a plugin's reward under its name in the run file, with every value it gives checked.

    None means that the reward has no opinion, and is masked. That works only where each reward is normalised by itself:
    in a sum that is normalised afterwards a missing value would count as 0.
    """

    def reward(*, prompts: Sequence[Chat], completions: Sequence[Talk], **columns: Any) -> list[float | None]:
        try:
            values = function(prompts=prompts, completions=completions, **columns)
        except Exception as error:
            raise CaifError(
                f"reward {name}: {type(error).__name__}: {error}", "mend the plugin", code=FAILED
            ) from error
        checked = checked_rewards(name, values, len(completions))
        if None in checked and not may_abstain:
            raise CaifError(
                f"reward {name}: row {checked.index(None)} has no value, which sum_then_normalize would count as 0",
                'use aggregation = "normalize_then_sum"',
            )
        return checked

    reward.__name__ = name
    return reward


def weights_of(names: Sequence[str], given: Mapping[str, float]) -> list[float]:
    """Return each reward's weight, 1 unless it is given; a weight for a reward that there is not is an error."""
    for name in given:
        if name not in names:
            raise CaifError(f"rl.weights: there is no reward {name!r}", nearest(name, names))
    return [given.get(name, 1.0) for name in names]
