"""TRL's GRPO trainer with five changes: prompts encoded as everywhere in caif, answers sampled by caif's own decoding,
prompts computed once a group and only answers multiplied with the output matrix, the KL of whole answers logged, and
advantages that are `Payment`'s."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from datasets import Dataset
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from caif import processes
from caif.config import Rl
from caif.errors import FAILED, CaifError
from caif.run import Tell
from caif.training.answering import Answering
from caif.training.answers import Answers
from caif.training.checkpoints import Checkpoints
from caif.training.held_judge import HeldJudge
from caif.training.logps import answers_logps
from caif.training.payment import Payment
from caif.training.progress import Progress, steps_of
from caif.training.rl_rewards import RewardFunction
from caif.training.shared_trunk import forget
from caif.training.trainers import made, train
from caif.training.watch import Steering, Trip, Watch

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

    from caif.training.rloo import Rloo

SCALED = ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")
"""What a model's config may say of its logits besides the output matrix; such models are left to TRL's own code."""


class Grpo(Answering, GRPOTrainer):
    """GRPO, thin. Without `payment` the advantages are TRL's own."""

    payment: Payment | None = None
    sampled: Answers | None = None
    """The last batch, for guards to look at."""
    _advantages: Tensor

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], *_: Any, **__: Any
    ) -> tuple[list[list[int]], list[list[float]] | None]:
        """Sample answers by caif's own decoding. What they were as likely as is computed again where it is wanted."""
        return self.said(prompt_ids), None

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **images: Any,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return what TRL returns. Without Triton, TRL scores every position, those of the prompt and padding too."""
        if not self._scores_too_much or compute_aux_loss:
            told = (input_ids, attention_mask, logits_to_keep, batch_size, compute_entropy, compute_aux_loss)
            found: Any = super()._get_per_token_logps_and_entropies(model, *told, **images)
            self._logps = found[0].detach()
            return found  # type: ignore[no-any-return]
        size = batch_size or len(input_ids)
        policy = self.accelerator.unwrap_model(model)
        with self.accelerator.autocast():
            parts = [
                answers_logps(policy, ids, mask, logits_to_keep, self.temperature)
                for ids, mask in zip(input_ids.split(size), attention_mask.split(size), strict=True)
            ]
        logps, entropies = (torch.cat(part) for part in zip(*parts, strict=True))
        self._logps = logps.detach()
        return logps, entropies if compute_entropy else None, None

    def _calculate_rewards(
        self, inputs: list[dict[str, Any]], prompts: Any, completions: list[Any], completion_ids_list: list[list[int]]
    ) -> Tensor:
        """Return TRL's rewards, by name and of every process, once they are made advantages."""
        rewards: Tensor = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        if self.payment is not None:
            step, texts = self.state.global_step + 1, [talk[-1]["content"] for talk in completions]
            tags = self.payment.cfg.safety_tags
            self.sampled = Answers.of(rewards, inputs, texts, completion_ids_list, set(self.eos_token_ids), tags)
            self._advantages, told = self.payment(self.sampled, step)
            self.reward_weights = self.payment.weights(step).float()  # TRL logs the sum that they give
            for name, value in told.items():
                self._metrics["train"][name].append(value)
        return rewards

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Return TRL's batch, with this process's part of the advantages in the place of TRL's."""
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        forget(self.accelerator.unwrap_model(self.model))
        if self.payment is not None:
            mine = self._advantages[self.accelerator.process_index * len(inputs) :][: len(inputs)]
            output["advantages"] = mine.to(output["advantages"])
        return output

    @property
    def _scores_too_much(self) -> bool:
        """Whether this is where TRL scores every position: one process on a CPU, and plain logits."""
        config = self.model.config.get_text_config()
        plain = all(getattr(config, name, None) is None for name in SCALED)
        return plain and self.accelerator.num_processes == 1 and self.accelerator.device.type == "cpu"

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        """Return TRL's loss, and log how far whole answers are from the reference: TRL logs a mean over tokens."""
        self._logps = None
        loss = super()._compute_loss(model, inputs)
        if self._logps is not None:
            gap = inputs["ref_per_token_logps"] - self._logps
            per_token = (gap.exp() - gap - 1) * inputs["completion_mask"]
            mode = "train" if self.model.training else "eval"
            self._metrics[mode]["kl_sequence"].append(float(self.accelerator.gather(per_token.sum(-1)).mean()))
        return loss  # type: ignore[no-any-return]


class Reinforced(NamedTuple):
    """What was logged at each step, and why RL was stopped early, if it was."""

    steps: list[dict[str, Any]]
    trip: Trip | None


def grpo(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Mapping[str, Sequence[Any]],
    rewards: Sequence[RewardFunction],
    *,
    options: dict[str, Any],
    payment: Payment | None = None,
) -> Grpo:
    """Return the trainer of a model's adapter. The reference is where it starts."""
    given = Dataset.from_dict(dict(rows))
    trainer = made(Grpo, GRPOConfig, model, tokenizer, given, options, reward_funcs=list(rewards))
    trainer.payment = payment
    return trainer


def reinforce(
    trainer: "Grpo | Rloo", cfg: Rl, tell: Tell, judge: HeldJudge | None = None, kept: Checkpoints | None = None
) -> Reinforced:
    """Train, within the guards' limits. Where one is passed the policy is that of the last good step."""
    watch = Watch(trainer, cfg.guards)
    steering = Steering(trainer, cfg.target_kl) if cfg.target_kl is not None else None
    callbacks = [callback for callback in (judge, watch, steering, Progress(tell, "rl")) if callback is not None]
    try:
        train(trainer, callbacks, kept, watch.good)
    except CaifError as error:
        if error.code != FAILED or processes.count() > 1:  # the other processes wait for this one's step
            raise
        watch.broken(str(error), trainer.state.global_step + 1)
    if watch.trip is not None:
        watch.restore()
    return Reinforced(steps_of(trainer.state.log_history), watch.trip)
