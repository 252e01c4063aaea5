"""What RL is paid for: one named reward a head of the reward model, and the rewards that plugins bring.

All heads read the same features, so a batch goes through the trunk once. Every head's score is standardised by its mean
and deviation over the training answers, so that a weight of 1 means the same for each.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from caif.config import Rl
from caif.errors import FAILED, CaifError, nearest
from caif.run import Work
from caif.store import Artifact
from caif.training.encoding import Chat
from caif.training.gold import gold_of
from caif.training.guards import checked_rewards
from caif.training.reward_model import RewardModel
from caif.training.shared_trunk import TrunkOf

RewardFunction = Callable[..., list[float | None]]
Talk = Sequence[Mapping[str, str]]
Log = Callable[[str, float], None]


class Heads:
    """The reward model's heads over one batch at a time: the first to ask has it scored, the others read.

    A gold model is asked beside them and pays nothing: what it says of each batch is logged, for the report.
    """

    def __init__(self, model: RewardModel, gold: RewardModel | None = None) -> None:
        self.model, self.gold = model, gold
        self._batch: object = None
        self._rewards = torch.zeros(0)

    def of(self, name: str) -> RewardFunction:
        """Return the reward function of one head, called like its objective."""
        column = self.model.objectives.index(name)

        def reward(
            prompts: Sequence[Chat], completions: Sequence[Talk], log_metric: Log | None = None, **_: Any
        ) -> list[float | None]:
            return self._paid(prompts, completions, log_metric)[:, column].tolist()

        reward.__name__ = name
        return reward

    @property
    def noise(self) -> dict[str, float]:
        """How far an ensemble's members differ on one answer, by objective, in the rewards' units; {} if it is none."""
        return {name: row["noise"] / row["std"] for name, row in self.model.scale.items() if "noise" in row}

    def _paid(self, prompts: Sequence[Chat], completions: Sequence[Talk], log: Log | None) -> torch.Tensor:
        answers = [said(completion) for completion in completions]
        if (batch := (list(map(list, prompts)), answers)) != self._batch:
            self._batch, self._rewards = batch, self.model.rewards(prompts, answers)
            for row, column in (~self._rewards.isfinite()).nonzero().tolist():
                raise CaifError(
                    f"reward {self.model.objectives[column]}: row {row} is {float(self._rewards[row, column])}",
                    f"the reward model cannot score this answer: {answers[row][:60]!r}",
                    code=FAILED,
                )
            if self.gold is not None and log is not None:
                log("proxy", float(self._rewards.sum(1).mean()))
                log("gold", float(self.gold.rewards(prompts, answers).sum(1).mean()))
        return self._rewards


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


class Payers(NamedTuple):
    """What RL is paid for: a function a head and a function a plugin's reward, each named, and the heads' noise."""

    functions: list[RewardFunction]
    noise: Mapping[str, float]

    @property
    def names(self) -> list[str]:
        """What each is called."""
        return [function.__name__ for function in self.functions]


def payers(work: Work, rewards: Artifact | None, cfg: Rl, trunk_of: TrunkOf) -> Payers:
    """Return the heads of the reward model, if there is one, and the plugins' rewards."""
    found = Payers([], {})
    if rewards is not None:
        model = RewardModel.load(rewards.model, trunk_of)
        if cfg.max_tokens >= model.max_length:
            raise CaifError(
                f"rl.max_tokens {cfg.max_tokens} is more than the reward model can read ({model.max_length})",
                "lower rl.max_tokens or raise reward.max_length",
            )
        heads = Heads(model, gold_of(rewards.model, model, trunk_of))
        found = Payers([heads.of(name) for name in model.objectives], heads.noise)
    for name, part in cfg.rewards.items():
        if name in found.names:
            raise CaifError(f"rl.rewards: {name!r} is an objective's own reward", "give it another name")
        found.functions.append(of_plugin(name, work.make(part)))
    if not found.functions:
        raise CaifError("rl: there is no reward", "add [reward], or a plugin's under [rl.rewards]")
    refuse_unknown(found.names, cfg)
    return found
