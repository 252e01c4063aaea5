"""One copy of a base's weights for all that read it beside the policy: reward heads, and the reference that RL starts from.

What the base made of a batch's answers for the reference is kept until they are scored: the heads read the same tokens.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor

from caif.models.kernel.attention import Tree, attending, forward, hidden, installed
from caif.models.kernel.past import Layers, Past
from caif.models.kernel.trie import lay_out
from caif.training.trunk import Trunk

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

TrunkOf = Callable[[str, Path | None], Trunk]

HELD = 8192
"""How many tokens are kept at most, with every layer's keys and values."""


class Held(NamedTuple):
    """What the base made of some sequences: keys and values of every layer, and the hidden states."""

    past: Past
    states: Tensor


_HELD: "WeakKeyDictionary[PeftModel, Held]" = WeakKeyDictionary()


def is_bare(policy: "PeftModel") -> bool:
    """Whether a policy computes as its base now: all adapters are off, or as they began, which changes nothing.

    The reference of a policy without [sft] is such a one: TRL keeps a copy of the adapter that it was given.
    """
    layers = (module for module in policy.modules() if isinstance(module, LoraLayer))
    return all(layer.disable_adapters or not any(map(_changes, _used(layer))) for layer in layers)


def _used(layer: LoraLayer) -> list[Tensor]:
    return [layer.lora_B[name].weight for name in layer.active_adapters]  # type: ignore[attr-defined]


def _changes(b: Tensor) -> bool:
    return bool(b.any())


def forget(policy: "PeftModel") -> None:
    """Let go what is kept of its base."""
    _HELD.pop(policy, None)


@dataclass
class Bare:
    """A policy's base without its output matrix and with its adapters off: it computes as if it had been loaded apart."""

    policy: "PeftModel"

    def states(self, sequences: Sequence[Sequence[int]]) -> tuple[Tensor, list[list[int]]]:
        """Return hidden states and where every token of each sequence lies among them; what is kept is not computed."""
        inner: Any = self.policy.get_base_model()
        with self._alone(), attending(inner):
            if not installed(inner):
                return hidden(inner, sequences)
            past, before = _HELD.get(self.policy) or Held(Past(), torch.empty(0, device=inner.device))
            trie, kept = lay_out(sequences, past), Layers()
            states = forward(inner, trie.tokens, trie.positions, Tree(trie, kept, past))
            states = torch.cat([before, states]) if past.size else states
        if len(states) <= HELD:
            found = [(list(ids), path) for ids, path in zip(sequences, trie.paths, strict=True)]
            grown = Past()
            grown.hold([*past.found, *found], len(states), kept)
            _HELD[self.policy] = Held(grown, states)
        return states, trie.paths

    @contextmanager
    def _alone(self) -> Iterator[None]:
        inner = self.policy.get_base_model()
        training = inner.training
        inner.eval()
        try:
            with torch.no_grad(), self.policy.disable_adapter():
                yield
        finally:
            inner.train(training)


class Beside(Trunk):
    """A trunk that is a policy's base."""

    def states(self, sequences: Sequence[Sequence[int]]) -> tuple[Tensor, list[list[int]]]:
        """See `Bare`."""
        bare: Any = self.model
        found: tuple[Tensor, list[list[int]]] = bare.states(sequences)
        return found


def beside(policy: "PeftModel", tokenizer: "PreTrainedTokenizerBase", base: str) -> TrunkOf:
    """Return what loads a reward model's trunk: the policy's own base where it is the same and has no adapter."""

    def trunk(folder: str, adapter: Path | None = None) -> Trunk:
        if folder == base and adapter is None:
            return Beside(Bare(policy), tokenizer)  # type: ignore[arg-type]
        return Trunk.load(folder, adapter)

    return trunk
