"""TRL's RLOO trainer with caif's own encoding and decoding; what the rewards come to is TRL's: their weighted sum.

REINFORCE with the other answers' mean as the baseline, nothing standardised, and the KL as a part of the reward, k1 of the
whole answer (Ahmadian et al. 2402.14740): its `beta` is not comparable with GRPO's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from torch import Tensor
from trl import RLOOConfig, RLOOTrainer

from caif.models.encode import prompt_ids
from caif.models.kernel.attention import attending
from caif.models.kernel.decoding import decode
from caif.models.pack import packed
from caif.training.answers import Answers
from caif.training.shared_trunk import forget
from caif.training.trainers import Sampling, made

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase


class Rloo(Sampling, RLOOTrainer):
    """RLOO, thin. It has what RL's guards look at: `paid`, `sampled`, and the KL of whole answers in its log."""

    sampled: Answers | None = None

    @property
    def paid(self) -> dict[str, float]:
        """The weight of each reward."""
        return dict(zip(self.reward_func_names, self.reward_weights.tolist(), strict=True))

    def answers(self, chats: Sequence[Sequence[Mapping[str, str]]]) -> list[str]:
        """Return an answer to each conversation, sampled apart: the training draws as if nobody had asked."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.args.seed)
            ids = self._generate_single_turn([prompt_ids(self._tokenizer, chat) for chat in chats])
        return [text.strip() for text in self._tokenizer.batch_decode(ids, skip_special_tokens=True)]

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """Encode prompts as for every other question to the model."""
        return [prompt_ids(self._tokenizer, prompt) for prompt in prompts], None, {}

    def _generate_single_turn(self, prompt_ids: list[list[int]], *_: Any, **__: Any) -> list[list[int]]:
        """Sample answers; the draws come from the trainer's seed, by way of torch's own generator."""
        inner = self.accelerator.unwrap_model(self.model_wrapped).get_base_model()
        seed, ends, training = int(torch.randint(2**31, (1,))), set(self.eos_token_ids), inner.training
        inner.eval()
        with packed(inner), attending(inner):
            limit = self.max_completion_length
            said = decode(inner, prompt_ids, limit, self.temperature, seed, lambda ids: ids[-1] in ends)
        inner.train(training)
        return said

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
        self._metrics["train"]["repetition"].append(float(self.sampled.repeated.mean()))
        self._metrics["train"]["refusals"].append(float(self.sampled.refusing.mean()))
        for column, name in enumerate(self.reward_func_names):
            groups = rewards[:, column].view(-1, self.num_generations)
            centred = groups - groups.nanmean(1, keepdim=True)
            spread = centred.square().nanmean(1).sqrt().nanmean(0)
            self._metrics["train"][f"spread/{name}"].append(float(spread))
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
