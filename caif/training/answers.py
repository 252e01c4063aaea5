"""What is known of a batch of sampled answers besides their rewards: whose they are, how they end, what they look like."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple, Self

import torch
from accelerate.utils import gather, gather_object
from torch import Tensor

from caif.text import refuses, said_again

RUN = 4
"""How many tokens make a run that may be repeated."""


class Answers(NamedTuple):
    """A batch of every process: rewards [answers, objectives], NaN where one is missing, and a value an answer of each fact."""

    prompts: list[str]
    rewards: Tensor
    finished: Tensor
    safety: Tensor
    length: Tensor
    repeated: Tensor
    refusing: Tensor

    @classmethod
    def of(
        cls, rewards: Tensor, asked: Sequence[dict[str, Any]], texts: Sequence[str], ids: Sequence[Sequence[int]],
        ends: Collection[int], safety_tags: Iterable[str] = (),
    ) -> Self:  # fmt: skip
        """Look at this process's answers, and put those of all together. `rewards` are of all already.

        Whether an answer has ended is read off its own ids: a prompt may hold the same token (TRL's issue 6802).
        """
        about = set(safety_tags)
        facts = [
            [
                float(bool(said) and said[-1] in ends),
                float(not about.isdisjoint(row.get("tags") or ())),
                float(len(said)),
                said_again(said, RUN),
                float(refuses(text.strip())),
            ]
            for row, text, said in zip(asked, texts, ids, strict=True)
        ]
        finished, safety, length, repeated, refusing = gather(torch.tensor(facts, device=rewards.device)).T
        prompts = gather_object([str(row.get("prompt_id", "")) for row in asked])
        return cls(prompts, rewards, finished.bool(), safety.bool(), length, repeated, refusing)


def looks(answers: Answers, rewards: Tensor, names: Sequence[str]) -> dict[str, float]:
    """Return what is logged of a batch: repetition, refusals, and how far each reward spreads within a group on average.

    `rewards` [groups, answers of a group, objectives] are those that count, NaN for one that does not.
    """
    centred = rewards - rewards.nanmean(1, keepdim=True)
    spreads = centred.square().nanmean(1).sqrt().nanmean(0)
    return {
        "repetition": float(answers.repeated.mean()),
        "refusals": float(answers.refusing.mean()),
        **{f"spread/{name}": float(value) for name, value in zip(names, spreads, strict=True)},
    }
