"""KTO on weighted thumbs, over TRL's own trainer, which takes all for equal and wants them shuffled and balanced before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from torch import Tensor
from trl import KTOConfig, KTOTrainer
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

from caif.content import rng
from caif.data import Rating
from caif.training.offline import Columns, together
from caif.training.trainers import Encoded, made

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

Rows = list[dict[str, Any]]


def thumb_columns(
    tokenizer: "PreTrainedTokenizerBase", thumbs: Sequence[Rating], weights: Mapping[str, float], limit: int
) -> Columns:
    """Return the columns of thumbs, with their weights as they stand."""
    rows, cut = [], 0
    for thumb in thumbs:
        fitting = together(tokenizer, thumb.prompt.chat, (thumb.completion,), limit)
        if fitting is None:
            continue
        cut += fitting.cut > 0
        ids = {"prompt_ids": fitting.prompt, "completion_ids": fitting.answers[0], "label": thumb.up}
        rows.append({**ids, "weight": thumb.weight * weights.get(thumb.objective, 1.0)})
    return Columns(rows, cut, len(thumbs) - len(rows))


def balanced(rows: Sequence[Mapping[str, Any]], ratio: float) -> Rows:
    """Return the rows with weights of 1 on average, of which ups have `ratio` times as much together as downs."""
    totals = {up: sum(row["weight"] for row in rows if row["label"] == up) for up in (True, False)}
    share = {True: ratio / (1 + ratio), False: 1 / (1 + ratio)}
    return [{**row, "weight": row["weight"] * share[row["label"]] * len(rows) / totals[row["label"]]} for row in rows]


def mismatched(rows: Sequence[Mapping[str, Any]], at_once: int, seed: int) -> Rows:
    """Return the rows shuffled, each with the answer of another row of its batch: how likely any answer has become.

    TRL takes rows in the order in which they are given; sorted by label, batches would be all ups and then all downs. A
    last batch of one row takes the answer of the row before.
    """
    mixed = rng("kto", seed).sample(list(rows), len(rows))
    partners = []
    for start in range(0, len(mixed), at_once):
        some = range(start, min(start + at_once, len(mixed)))
        partners += [some[-1], *some[:-1]] if len(some) > 1 else [start - 1]
    return [{**row, "KL_completion_ids": mixed[n]["completion_ids"]} for row, n in zip(mixed, partners, strict=True)]


@dataclass
class Weighed(DataCollatorForUnpairedPreference):
    """TRL's batches with each thumb's weight."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Return TRL's tensors and the weights."""
        batch: dict[str, Any] = super().torch_call(examples)
        return batch | {"weight": torch.tensor([row["weight"] for row in examples])}


def thumb_loss(moved: Tensor, usual: Tensor, up: Tensor, weight: Tensor, beta: float) -> Tensor:
    """Return the mean of w (1 - s(beta (moved - usual))) for ups and of w (1 - s(beta (usual - moved))) for downs.

    `moved` is by how much likelier each answer has become, in nats; `usual` how much likelier any has (Ethayarajh et al.
    2024, equation 7).
    """
    sign = torch.where(up, 1.0, -1.0)
    return (weight * (1 - torch.sigmoid(beta * sign * (moved - usual)))).mean()


class WeighedKto(Encoded, KTOTrainer):
    """TRL's trainer, given token ids, with `thumb_loss` in the place of its own. It calls nobody."""

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False) -> Any:
        """Return the loss of a batch, and log how ups and downs fare."""
        asked = {name: value for name, value in inputs.items() if name != "weight"}
        labels = asked["input_ids"].masked_fill(asked["completion_mask"] == 0, -100)
        read = {name: asked[name] for name in ("input_ids", "attention_mask")}
        outputs = model(**read, labels=labels, use_cache=False, fused_lm_head=True)
        before, before_any = self.compute_ref_log_probs(self.model, asked)
        moved = outputs.log_probs.sum(1) - before
        usual = self.accelerator.gather((self._compute_kl_logps(model, asked) - before_any).mean()).mean().clamp(min=0)
        up = asked["label"].bool()
        loss = thumb_loss(moved, usual, up, inputs["weight"].to(moved), self.beta)
        self._metrics["train"]["kl"].append(float(usual))
        for name, some in (("chosen", moved[up]), ("rejected", moved[~up])):
            if len(some):
                self._metrics["train"][f"rewards/{name}"].append(float(self.beta * some.detach().mean()))
        return (loss, outputs) if return_outputs else loss


def weighed_kto(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[Mapping[str, Any]],
    *,
    options: dict[str, Any],
) -> WeighedKto:
    """Return the trainer of a model's adapter. The reference is the adapter as it is now."""
    collator = Weighed(pad_token_id=tokenizer.eos_token_id, max_length=options["max_length"])
    given = Dataset.from_list([dict(row) for row in rows])
    return made(WeighedKto, KTOConfig, model, tokenizer, given, options, data_collator=collator)
