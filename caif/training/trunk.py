"""What a reward head sees: a base transformer's hidden states of a conversation with its answer.

The features are the last token's state and the mean over the answer's tokens: the first is what a causal model makes of
the whole, the second keeps the form of the answer, which a small frozen trunk loses on the way to the last token. The
last feature is the logarithm of the answer's number of tokens, which only a head reads that is to be free of length.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from peft import PeftModel, get_peft_model
from torch import Tensor
from transformers import set_seed

from caif.models.kernel.attention import attending, hidden
from caif.models.kernel.trie import cut
from caif.training.encoding import Encoded
from caif.training.fused import fuse
from caif.training.policy import base, lora, save

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TOKENS = 4096
"""How many tokens go through the trunk at once: more only takes more memory."""

MEMBER = "member"
"""What the adapters of an ensemble's members are called, after the first; a number follows."""

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
        trunk: Any = model.base_model
        if adapter is not None:
            trunk = PeftModel.from_pretrained(trunk, adapter)
            for member in sorted(adapter.glob(f"{MEMBER}*")):
                trunk.load_adapter(member, member.name)
        return cls(trunk.eval(), tokenizer)

    def with_adapter(self, rank: int, seed: int) -> Self:
        """Return this trunk with a new adapter to train, beside those that it has, which are off then."""
        set_seed(seed % 2**31)
        settings, model = lora(rank, "FEATURE_EXTRACTION"), self.model
        if isinstance(model, PeftModel):
            model.add_adapter(name := f"{MEMBER}{len(model.peft_config):03}", settings)
            model.set_adapter(name)
        else:
            model = get_peft_model(model, settings)
        fuse(model.eval())
        return type(self)(model, self.tokenizer)

    def save_adapter(self, folder: Path) -> None:
        """Save the adapter, and those of an ensemble's other members in it."""
        for name in self._adapters:
            save(self.model, folder, adapter=name)

    @property
    def _adapters(self) -> list[str]:
        return list(self.model.peft_config) if isinstance(self.model, PeftModel) else []

    def members(self) -> Iterator[Self]:
        """Yield this trunk once for each adapter, seen through it. The first comes last, and stays."""
        for name in [*self._adapters[1:], *self._adapters[:1]]:
            self.model.set_adapter(name)
            yield self
        if not self._adapters:
            yield self

    def states(self, sequences: Sequence[Sequence[int]]) -> tuple[Tensor, list[list[int]]]:
        """Return the hidden states of some sequences, and where in them every token of each sequence is found."""
        inner: Any = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        with attending(inner):
            return hidden(inner, sequences)

    def features(self, rows: Sequence[Encoded]) -> Tensor:
        """Return one float32 row of features a conversation, all in one pass, with gradient where it is wanted.

        What conversations begin with alike is computed once, and its gradient is the sum of theirs; nothing is padding.
        """
        states, paths = self.states([row.ids for row in rows])
        last = states[[path[-1] for path in paths]].float()
        answers = [states[path[-row.answer :]].float() for path, row in zip(paths, rows, strict=True)]
        tokens = last.new_tensor([[row.answer] for row in rows])
        return torch.cat([last, torch.stack([answer.mean(0) for answer in answers]), tokens.log()], dim=1)

    @torch.no_grad()
    def all_features(self, rows: Sequence[Encoded], track: Track | None = None) -> Tensor:
        """Return the features of any number of rows in their order, taken through the trunk batch by batch."""
        batches = cut([row.ids for row in rows], TOKENS)
        found: list[Tensor | None] = [None] * len(rows)
        for batch in track(batches, len(rows), "features", len) if track else batches:
            for n, row in zip(batch, self.features([rows[n] for n in batch]).cpu(), strict=True):
                found[n] = row
        return torch.stack([row for row in found if row is not None])
