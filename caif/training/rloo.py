"""TRL's RLOO trainer with caif's own encoding and decoding; what the rewards come to is TRL's: their weighted sum.

REINFORCE with the other answers' mean as the baseline, nothing standardised, and the KL as a part of the reward, k1 of the
whole answer (Ahmadian et al. 2402.14740): its `beta` is not comparable with GRPO's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from torch import Tensor
from trl import RLOOConfig, RLOOTrainer

from caif.training.answering import Answering
from caif.training.answers import Answers, looks
from caif.training.shared_trunk import forget
from caif.training.trainers import made

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase


class Rloo(Answering, RLOOTrainer):
    """RLOO, thin. It has what RL's guards look at: `sampled`, and the KL of whole answers in its log."""

    sampled: Answers | None = None

    def _generate_single_turn(self, prompt_ids: list[list[int]], *_: Any, **__: Any) -> list[list[int]]:
        """Sample answers by caif's own decoding."""
        return self.said(prompt_ids)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Return TRL's batch, and log the KL of whole answers, which guards go by: TRL logs its mean over tokens."""
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        tokens = self.accelerator.gather(output["completion_mask"].sum(-1)).float().mean()
        metrics = self._metrics["train"]
        metrics["kl_sequence"].append(metrics["kl"][-1] * float(tokens))
        return output

    def _calculate_rewards(
        self, inputs: list[dict[str, Any]], prompts: Any, completions: list[Any], completion_ids_list: list[list[int]]
    ) -> Tensor:
        """Return TRL's rewards, and keep the answers for the guards."""
        rewards: Tensor = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        forget(self.accelerator.unwrap_model(self.model))
        texts = [talk[-1]["content"] for talk in completions]
        self.sampled = Answers.of(rewards, inputs, texts, completion_ids_list, set(self.eos_token_ids), ())
        groups = rewards.unflatten(0, (-1, self.num_generations))
        for name, value in looks(self.sampled, groups, self.reward_func_names).items():
            self._metrics["train"][name].append(value)
        return rewards


def rloo(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Mapping[str, Sequence[Any]],
    rewards: Sequence[Callable[..., Any]],
    *,
    options: dict[str, Any],
) -> Rloo:
    """Return the trainer of a model's adapter. The reference is where it starts."""
    given = Dataset.from_dict(dict(rows))
    return made(Rloo, RLOOConfig, model, tokenizer, given, options, reward_funcs=list(rewards))
