"""Feedback rows in the form that heads are fitted on: every answer encoded once, every row pointing to its answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from caif.content import rng
from caif.data import Preference, Prompt, Rating
from caif.training.encoding import Encoded, encode, within
from caif.training.heads import FOLDS, Evidence

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Example(NamedTuple):
    """A row with the numbers of its answers: chosen and rejected, or the one that was voted on."""

    row: Preference | Rating
    answers: tuple[int, ...]
    fold: int

    @property
    def heldout(self) -> bool:
        """Whether nothing is trained on it."""
        return self.row.prompt.split == "heldout"


@dataclass
class Examples:
    """All rows, all answers, and what did not fit."""

    answers: list[Encoded]
    rows: list[Example]
    truncated: int = 0
    rejected: int = 0

    @property
    def train(self) -> list[Example]:
        """The rows to learn from; weight 0 means to learn nothing."""
        return [example for example in self.rows if not example.heldout and example.row.weight > 0]


def read_examples(
    tokenizer: "PreTrainedTokenizerBase", rows: Iterable[Preference | Rating], limit: int, seed: int
) -> Examples:
    """Return the rows with their answers encoded; a row with an answer that is too long by itself is rejected."""
    known: dict[tuple[str, str], int | None] = {}
    found = Examples([], [])
    for row in rows:
        texts = [row.chosen, row.rejected] if isinstance(row, Preference) else [row.completion]
        numbers = [_number(tokenizer, row.prompt, text, limit, known, found.answers) for text in texts]
        whole = tuple(n for n in numbers if n is not None)
        if len(whole) < len(numbers):
            found.rejected += 1
            continue
        found.truncated += any(found.answers[n].cut for n in whole)
        # By the beginning of its conversation, as the split is: one conversation is never on both sides.
        fold = rng("fold", seed, row.prompt.messages[0].content).randrange(FOLDS)
        found.rows.append(Example(row, whole, fold))
    return found


def _number(
    tokenizer: "PreTrainedTokenizerBase",
    prompt: Prompt,
    text: str,
    limit: int,
    known: dict[tuple[str, str], int | None],
    answers: list[Encoded],
) -> int | None:
    key = (prompt.id, text)
    if key not in known:
        encoded = within(encode(tokenizer, prompt.chat, text), limit)
        known[key] = None if encoded is None else len(answers)
        if encoded is not None:
            answers.append(encoded)
    return known[key]


def evidence(examples: Sequence[Example], place: Mapping[int, int], sources: Mapping[str, int]) -> Evidence:
    """Return one objective's examples as tensors; `place` says in which row of features an answer is."""
    pairs = [(e, e.row) for e in examples if isinstance(e.row, Preference)]
    thumbs = [(e, e.row) for e in examples if isinstance(e.row, Rating)]
    return Evidence(
        first=_whole(place[e.answers[0]] for e, _ in pairs),
        second=_whole(place[e.answers[1]] for e, _ in pairs),
        probability=_real(row.probability for _, row in pairs),
        pair_weight=_real(row.weight for _, row in pairs),
        pair_fold=_whole(e.fold for e, _ in pairs),
        voted=_whole(place[e.answers[0]] for e, _ in thumbs),
        up=_real(row.up for _, row in thumbs),
        thumb_weight=_real(row.weight for _, row in thumbs),
        thumb_fold=_whole(e.fold for e, _ in thumbs),
        source=_whole(sources[row.source] for _, row in thumbs),
    )


def _whole(values: Iterable[int]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.long)


def _real(values: Iterable[float]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float64)
