"""Feedback rows in the form that heads are fitted on: every answer encoded once, every row pointing to its answers."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from caif.config import Reward
from caif.content import rng
from caif.data import Preference, Prompt, Rating
from caif.mixture.groups import connected
from caif.training.encoding import Encoded, encode, within
from caif.training.heads import FOLDS
from caif.training.losses import corrected, smoothed
from caif.training.terms import Evidence, Pairs, Terms, Thumbs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Example(NamedTuple):
    """A row with the numbers of its answers: chosen and rejected, or the one that was voted on.

    `group` names the conversations that it must not be parted from, by the least of their openings.
    """

    row: Preference | Rating
    answers: tuple[int, ...]
    group: str
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
    tokenizer: "PreTrainedTokenizerBase", rows: Sequence[Preference | Rating], limit: int, seed: int
) -> Examples:
    """Return the rows with their answers encoded; a row with an answer that is too long by itself is rejected."""
    known: dict[tuple[str, str], int | None] = {}
    groups = _groups(rows)
    found = Examples([], [])
    for row in rows:
        texts = [row.chosen, row.rejected] if isinstance(row, Preference) else [row.completion]
        numbers = [_number(tokenizer, row.prompt, text, limit, known, found.answers) for text in texts]
        whole = tuple(n for n in numbers if n is not None)
        if len(whole) < len(numbers):
            found.rejected += 1
            continue
        found.truncated += any(found.answers[n].cut for n in whole)
        group = groups[row.prompt.opening]
        found.rows.append(Example(row, whole, group, rng("fold", seed, group).randrange(FOLDS)))
    return found


def _groups(rows: Sequence[Preference | Rating]) -> dict[str, str]:
    """Return the group of every opening, as the split is: of those that lend each other answers none is parted."""
    lenders = {row.prompt.id: row.prompt.opening for row in rows}
    openings = sorted({*lenders.values()})
    place = {opening: n for n, opening in enumerate(openings)}
    borrowed = [(row.prompt.opening, by) for row in rows if row.origin.borrowed for by in row.origin.borrowed.split("+")]
    links = [(place[opening], place[lenders[by]]) for opening, by in borrowed if by in lenders]
    one, other = np.array(links, dtype=np.int64).reshape(-1, 2).T
    return {opening: openings[n] for opening, n in zip(openings, connected(len(openings), one, other), strict=True)}


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


class Numbers(NamedTuple):
    """Which terms one objective's rows have: the number of every source of thumbs, judge, rater and prompt that has any.

    A judge has a taste of its own where people spoke of the objective too: else nothing could tell it from the score. A
    prompt has an ease of its own where two of its answers were voted on or a pair compares some: else it would take what
    its one vote says of the answer.
    """

    sources: dict[str, int]
    judges: dict[str, int]
    raters: dict[str, int]
    prompts: dict[str, int]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Self:
        """Number what the training rows of one objective have."""
        rows = [example.row for example in examples]
        thumbs = [row for row in rows if isinstance(row, Rating)]
        pairs = [row for row in rows if isinstance(row, Preference)]
        judges = [row.source for row in pairs if row.principle] if thumbs or not all(p.principle for p in pairs) else []
        voted = Counter(prompt for prompt, _ in {(row.prompt.id, row.completion) for row in thumbs})
        compared = {row.prompt.id for row in pairs}
        prompts = [prompt for prompt, answers in voted.items() if answers > 1 or prompt in compared]
        raters = [row.rater for row in thumbs if row.rater]
        return cls(*map(_numbered, ([row.source for row in thumbs], judges, raters, prompts)))

    def terms(self, width: int) -> Terms:
        """Return terms for all of them that change nothing yet."""
        return Terms.none(width, len(self.sources), len(self.judges), len(self.raters), len(self.prompts))


def evidence(examples: Sequence[Example], place: Mapping[int, int], numbers: Numbers, cfg: Reward) -> Evidence:
    """Return one objective's examples as tensors; `place` says in which row of features an answer is."""
    pairs = [(e, e.row) for e in examples if isinstance(e.row, Preference)]
    thumbs = [(e, e.row) for e in examples if isinstance(e.row, Rating)]
    of_judge = [numbers.judges.get(row.source) if row.principle else None for _, row in pairs]
    return Evidence(
        Pairs(
            first=_whole(place[e.answers[0]] for e, _ in pairs),
            second=_whole(place[e.answers[1]] for e, _ in pairs),
            probability=corrected(smoothed(_real(row.probability for _, row in pairs), cfg.smoothing), cfg.flips),
            weight=_real(row.weight for _, row in pairs),
            fold=_whole(e.fold for e, _ in pairs),
            judge=_whole(len(numbers.judges) if judge is None else judge for judge in of_judge),
        ),
        Thumbs(
            voted=_whole(place[e.answers[0]] for e, _ in thumbs),
            up=_real(row.up for _, row in thumbs),
            weight=_real(row.weight for _, row in thumbs),
            fold=_whole(e.fold for e, _ in thumbs),
            source=_whole(numbers.sources[row.source] for _, row in thumbs),
            rater=_whole(numbers.raters.get(row.rater, len(numbers.raters)) for _, row in thumbs),
            prompt=_whole(numbers.prompts.get(row.prompt.id, len(numbers.prompts)) for _, row in thumbs),
        ),
    )


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: n for n, name in enumerate(sorted(set(names)))}


def _whole(values: Iterable[int]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.long)


def _real(values: Iterable[float]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float64)
