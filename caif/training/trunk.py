"""What a reward head sees: a base transformer's hidden states of a conversation with its answer.

The features are the last token's state and the mean over the answer's tokens: the first is what a causal model makes of
the whole, the second keeps the form of the answer, which a small frozen trunk loses on the way to the last token. The
last feature is the logarithm of the answer's number of tokens, which only a head reads that is to be free of length.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from peft import PeftModel, get_peft_model
from torch import Tensor
from transformers import set_seed

from caif.training.encoding import Encoded
from caif.training.policy import base, lora, save

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TOKENS = 8192
"""How many tokens, padding included, go through the trunk at once."""

Track = Callable[[Iterable[Any], int, str, Callable[[Any], int]], Iterable[Any]]


@dataclass
class Trunk:
    """A transformer without its output matrix, and the tokenizer it was trained with."""

    model: "PreTrainedModel | PeftModel"
    tokenizer: "PreTrainedTokenizerBase"

    @classmethod
    def load(cls, folder: str, adapter: Path | None = None) -> Self:
        """Load the trunk of a model, with an adapter of its own if it was tuned."""
        model, tokenizer = base(folder)
        trunk = model.base_model
        if adapter is not None:
            trunk = PeftModel.from_pretrained(trunk, adapter)
        return cls(trunk.eval(), tokenizer)

    def with_adapter(self, rank: int, seed: int) -> Self:
        """Return this trunk with a new adapter to train."""
        set_seed(seed % 2**31)
        return type(self)(get_peft_model(self.model, lora(rank, "FEATURE_EXTRACTION")).eval(), self.tokenizer)

    def save_adapter(self, folder: Path) -> None:
        """Save the adapter."""
        save(self.model, folder)

    def features(self, rows: Sequence[Encoded]) -> Tensor:
        """Return one float32 row of features a conversation, all in one pass, with gradient where it is wanted."""
        width = max(len(row.ids) for row in rows)
        device = self.model.device
        ids = torch.tensor([[*row.ids, *[0] * (width - len(row.ids))] for row in rows], device=device)
        length = torch.tensor([len(row.ids) for row in rows], device=device)
        place = torch.arange(width, device=device)
        real = (place < length[:, None]).long()
        hidden = self.model(input_ids=ids, attention_mask=real, use_cache=False).last_hidden_state.float()
        last = hidden[torch.arange(len(rows), device=device), length - 1]
        first = length - torch.tensor([row.answer for row in rows], device=device)
        answer = real * (place >= first[:, None])
        tokens = answer.sum(1, keepdim=True)
        mean = (hidden * answer[:, :, None]).sum(1) / tokens
        return torch.cat([last, mean, tokens.log()], dim=1)

    @torch.no_grad()
    def all_features(self, rows: Sequence[Encoded], track: Track | None = None) -> Tensor:
        """Return the features of any number of rows in their order, taken through the trunk in batches of like length."""
        batches = batches_by_length([len(row.ids) for row in rows], TOKENS)
        found: list[Tensor | None] = [None] * len(rows)
        for batch in track(batches, len(rows), "features", len) if track else batches:
            for n, row in zip(batch, self.features([rows[n] for n in batch]).cpu(), strict=True):
                found[n] = row
        return torch.stack([row for row in found if row is not None])


def batches_by_length(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Return row numbers in batches of like length, each of at most so many tokens with padding, longest first."""
    batches: list[list[int]] = []
    for n in sorted(range(len(lengths)), key=lambda n: (-lengths[n], n)):
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= budget:
            batches[-1].append(n)
        else:
            batches.append([n])
    return batches
