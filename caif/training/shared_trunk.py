"""One copy of a base's weights for two uses: what a reward head sees of a model whose adapter is trained meanwhile."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from caif.training.trunk import Trunk

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

TrunkOf = Callable[[str, Path | None], Trunk]


class Bare:
    """A policy's base without its output matrix and with its adapter off: it computes as if it had been loaded apart."""

    def __init__(self, policy: "PeftModel") -> None:
        self.policy = policy

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.policy.device

    def __call__(self, **inputs: Any) -> Any:
        """Run the base."""
        inner: Any = self.policy.get_base_model()
        training = inner.training
        inner.eval()
        try:
            with self.policy.disable_adapter():
                return inner.base_model(**inputs)
        finally:
            inner.train(training)


def beside(policy: "PeftModel", tokenizer: "PreTrainedTokenizerBase", base: str) -> TrunkOf:
    """Return what loads a reward model's trunk: the policy's own base where it is the same and has no adapter."""

    def trunk(folder: str, adapter: Path | None = None) -> Trunk:
        if folder == base and adapter is None:
            return Trunk(Bare(policy), tokenizer)  # type: ignore[arg-type]
        return Trunk.load(folder, adapter)

    return trunk
