"""DPO on soft weighted labels, over TRL's own trainer, which takes every pair for a sure one and all for equal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.functional import logsigmoid
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from caif.data import Preference
from caif.training.offline import Columns, together
from caif.training.trainers import Encoded, made

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

OWN = ("probability", "weight")


def pair_columns(
    tokenizer: "PreTrainedTokenizerBase", pairs: Sequence[Preference], weights: Mapping[str, float], limit: int
) -> Columns:
    """Return the columns of pairs. Their weights are 1 on average, so that the learning rate means what it says."""
    rows, cut = [], 0
    for pair in pairs:
        fitting = together(tokenizer, pair.prompt.chat, (pair.chosen, pair.rejected), limit)
        if fitting is None:
            continue
        cut += fitting.cut > 0
        ids = {"prompt_ids": fitting.prompt, "chosen_ids": fitting.answers[0], "rejected_ids": fitting.answers[1]}
        rows.append({**ids, "probability": pair.probability, "weight": pair.weight * weights.get(pair.objective, 1.0)})
    mean = sum(row["weight"] for row in rows) / max(len(rows), 1)
    return Columns([row | {"weight": row["weight"] / mean} for row in rows], cut, len(pairs) - len(rows))


@dataclass
class Labelled(DataCollatorForPreference):
    """TRL's batches with each pair's probability and weight."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Return TRL's tensors and one number a pair for each of caif's columns."""
        batch: dict[str, Any] = super().torch_call(examples)
        return batch | {name: torch.tensor([row[name] for row in examples]) for name in OWN}


def soft_loss(gaps: Tensor, probability: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of w (-p log s(gap) - (1 - p) log s(-gap)); its least is where s(gap) = p.

    `gaps`, of one number a pair, is beta times by how much the policy favours the first answer more than it did at first.
    """
    return -(weight * (probability * logsigmoid(gaps) + (1 - probability) * logsigmoid(-gaps))).mean()


class SoftDpo(Encoded, DPOTrainer):
    """TRL's trainer, given token ids, with `soft_loss` in the place of its own. It calls nobody."""

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False) -> Any:
        """Return the loss of a batch, and log how the answers fare."""
        asked = {name: value for name, value in inputs.items() if name not in OWN}
        labels = asked["input_ids"].masked_fill(asked["completion_mask"] == 0, -100)
        read = {name: asked[name] for name in ("input_ids", "attention_mask")}
        outputs = model(**read, labels=labels, use_cache=False, fused_lm_head=True)
        now, before = outputs.log_probs.sum(1), torch.cat(self.compute_ref_log_probs(self.model, asked))
        chosen, rejected = (self.beta * (now - before)).chunk(2)
        loss = soft_loss(chosen - rejected, *(inputs[name].to(chosen) for name in OWN))
        for name, value in (("chosen", chosen), ("rejected", rejected), ("margins", chosen - rejected)):
            self._metrics["train"][f"rewards/{name}"].append(float(value.detach().mean()))
        return (loss, outputs) if return_outputs else loss


def soft_dpo(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[Mapping[str, Any]],
    *,
    options: dict[str, Any],
) -> SoftDpo:
    """Return the trainer of a model's adapter. The reference is the adapter as it is now."""
    collator = Labelled(pad_token_id=tokenizer.eos_token_id, max_length=options["max_length"])
    given = Dataset.from_list([dict(row) for row in rows])
    return made(SoftDpo, DPOConfig, model, tokenizer, given, options, data_collator=collator)
