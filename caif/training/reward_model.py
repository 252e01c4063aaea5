"""The reward model: one trunk, one linear head an objective. Training and serving score by the same few lines.

Hidden states of causal language models have dimensions a hundred times larger than the others, so the heads see features
that are standardised by the training answers. A score is in units of log-odds: the sigmoid of the difference of two
scores is how likely the first answer is to be preferred.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from caif.config import ModelSpec
from caif.data import Prompt
from caif.errors import CaifError
from caif.models import resolve
from caif.training.encoding import Chat, Encoded, encode, within
from caif.training.trunk import Track, Trunk

FACTS, HEADS, ADAPTER = "reward.json", "heads.safetensors", "adapter"


@dataclass
class RewardModel:
    """A trunk with heads. `weights` is [members, features, objectives], one member unless it is an ensemble; `facts` is
    what reward.json says besides.
    """

    trunk: Trunk
    objectives: tuple[str, ...]
    weights: Tensor
    mean: Tensor
    std: Tensor
    facts: dict[str, Any]

    @property
    def max_length(self) -> int:
        """How many tokens of prompt and answer the model looks at."""
        return int(self.facts["max_length"])

    @property
    def scale(self) -> dict[str, dict[str, float]]:
        """Mean and standard deviation of each objective's scores over the training answers."""
        return self.facts["scale"]  # type: ignore[no-any-return]

    def encode(self, prompt: Prompt | Chat, answer: str) -> Encoded:
        """Return the ids that are scored, the prompt cut at its beginning if need be."""
        chat = prompt.chat if isinstance(prompt, Prompt) else prompt
        encoded = within(encode(self.trunk.tokenizer, chat, answer), self.max_length)
        if encoded is None:
            raise CaifError(
                f"an answer alone is over {self.max_length} tokens: {answer[:40]!r}…", "raise reward.max_length"
            )
        return encoded

    def scores(self, prompts: Sequence[Prompt | Chat], answers: Sequence[str]) -> Tensor:
        """Return one row an answer, one column an objective."""
        if not answers:
            return torch.zeros(0, len(self.objectives))
        encoded = [self.encode(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        return self.read(self.features(encoded))

    def rewards(self, prompts: Sequence[Prompt | Chat], answers: Sequence[str]) -> Tensor:
        """Return what answers are paid, one row an answer, one column an objective: `standard` scores."""
        return self.standard(self.scores(prompts, answers))

    def standard(self, scores: Tensor) -> Tensor:
        """Return scores [answers, objectives] in standard deviations of the training answers' scores, from their mean."""
        mean, std = (scores.new_tensor([self.scale[name][what] for name in self.objectives]) for what in ("mean", "std"))
        return (scores - mean) / std

    def features(self, rows: Sequence[Encoded], track: Track | None = None) -> Tensor:
        """Return what the heads see, [answers, members, features], one for all members unless each has its own adapter."""
        return torch.stack([trunk.all_features(rows, track) for trunk in self.trunk.members()], dim=1)

    def read(self, features: Tensor) -> Tensor:
        """Return the scores that the heads read off features."""
        return self.joined(self.members(features))

    def members(self, features: Tensor) -> Tensor:
        """Return the scores that every head reads off features, [answers, members, objectives]."""
        return torch.einsum("nmf,mfk->nmk", (features - self.mean) / self.std, self.weights)

    def joined(self, members: Tensor) -> Tensor:
        """Return an ensemble's scores, [answers, objectives]: mean - caution x variance, or the least (2310.02743)."""
        if members.shape[1] == 1:
            return members[:, 0]
        if self.facts["together"] == "worst":
            return members.amin(dim=1)
        mean, variance = members.mean(dim=1), members.var(dim=1, correction=0)
        return mean - self.facts["caution"] * variance

    def save(self, folder: Path) -> None:
        """Write heads, facts and, if the trunk was tuned, its adapter. The trunk's base is named, not copied."""
        tensors = {"weights": self.weights, "mean": self.mean, "std": self.std}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / HEADS)
        facts = {**self.facts, "objectives": self.objectives}
        (folder / FACTS).write_text(json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False), encoding="utf-8")
        if self.facts["rank"]:
            self.trunk.save_adapter(folder / ADAPTER)

    @classmethod
    def load(cls, folder: Path, trunk_of: Callable[[str, Path | None], Trunk] = Trunk.load) -> Self:
        """Read a saved reward model; `trunk_of` may know a trunk that is in memory already."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        base = resolve.folder(ModelSpec.model_validate(facts["model"]))
        trunk = trunk_of(base, folder / ADAPTER if facts["rank"] else None)
        return cls(trunk, tuple(facts.pop("objectives")), **load_file(folder / HEADS), facts=facts)
