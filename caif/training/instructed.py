"""A head that reads the principle: the score of an answer under any principle's text, learned from pairs of several.

Both are seen through the trunk. The score is bilinear: a linear head on the answer's features for the principles' mean,
and one more for each direction in which their texts differ, so what "shorter" asks for turns round with "longer".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from caif.audit.calibration import accuracy
from caif.data import Preference
from caif.training.encoding import Encoded, encode
from caif.training.examples import Example, Examples
from caif.training.heads import Shape, fit
from caif.training.reward_model import RewardModel
from caif.training.terms import Evidence, Pairs, Terms, Thumbs
from caif.training.trunk import Trunk

FILE = "instructed.safetensors"
ASKED = [{"role": "user", "content": "By which principle is the answer to be judged?"}]
WIDEST, FLAT = 16, 1e-4
"""How many directions at most, and how much shorter than the longest one a direction is that says nothing."""


@dataclass
class Instructed:
    """`weights` is [1 + directions, features]; `axes` [directions, features] and `centre` read a principle's text."""

    weights: Tensor
    axes: Tensor
    centre: Tensor

    def reading(self, texts: Tensor) -> Tensor:
        """Return what is read off principles' features: 1, and where each stands among those of the training."""
        return torch.cat([texts.new_ones(len(texts), 1), (texts - self.centre) @ self.axes.T], dim=1)

    def scores(self, inputs: Tensor, texts: Tensor) -> Tensor:
        """Return one score an answer, from its standardised features and its principle's features, row by row."""
        return ((inputs @ self.weights.T) * self.reading(texts)).sum(1)

    def save(self, folder: Path) -> None:
        """Write it beside the other heads."""
        save_file({"weights": self.weights, "axes": self.axes, "centre": self.centre}, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what was saved."""
        return cls(**load_file(folder / FILE))


def read_texts(trunk: Trunk, texts: Sequence[str]) -> Tensor:
    """Return the features of principles' texts."""
    return trunk.all_features([encode(trunk.tokenizer, ASKED, text) for text in texts])[:, :-1]


def axes_of(known: Tensor) -> tuple[Tensor, Tensor]:
    """Return the directions in which features [principles, width] differ, scaled to unit spread, and their mean."""
    centre = known.mean(0)
    _, lengths, directions = torch.linalg.svd(known - centre, full_matrices=False)
    kept = (lengths > FLAT * lengths[0].clamp(min=1e-9)).nonzero()[:WIDEST, 0]
    return directions[kept] / lengths[kept, None] * len(known) ** 0.5, centre


def fit_instructed(
    model: RewardModel, found: Examples, texts: Mapping[str, str], decay: Any, shape: Shape
) -> tuple[Instructed, dict[str, Any]] | None:
    """Return the head that reads the principle and what it is worth held out; None without pairs of two principles.

    `texts` says what each principle asks. `under_others` is the accuracy where every pair is scored under another
    principle than its own: a head that does not read is as good there.
    """
    pairs = [e for e in found.rows if isinstance(e.row, Preference) and e.row.principle in texts]
    train = [e for e in pairs if not e.heldout and e.row.weight > 0]
    names = sorted({_principle(e) for e in train})
    if len(names) < 2:
        return None
    known = read_texts(model.trunk, [texts[name] for name in names])
    axes, centre = axes_of(known)
    features = model.trunk.all_features(found.answers)
    inputs = ((features - model.mean) / model.std)[:, :-1]
    head = Instructed(torch.zeros(1 + len(axes), inputs.shape[1]), axes, centre)
    reading = head.reading(known)
    place = {name: n for n, name in enumerate(names)}
    x = torch.cat([_crossed(inputs, train, reading, place, side) for side in (0, 1)])
    solved = fit(x, _evidence(train), Terms.none(x.shape[1], 0), decay, shape)
    head.weights = solved.weights.float().reshape(len(axes) + 1, -1)
    heldout = [e for e in pairs if e.heldout and _principle(e) in place]
    own, other = (_accuracy(head, inputs, heldout, known, place, by) for by in (0, 1))
    return head, {"principles": len(names), "n": len(heldout), "accuracy": own, "under_others": other}


def score_under(model: RewardModel, head: Instructed, text: str, rows: Sequence[Encoded]) -> Tensor:
    """Return one score an answer under a principle's text, whether it was trained on or not."""
    inputs = ((model.trunk.all_features(rows) - model.mean) / model.std)[:, :-1]
    return head.scores(inputs, read_texts(model.trunk, [text]).expand(len(rows), -1))


def _principle(example: Example) -> str:
    return example.row.principle if isinstance(example.row, Preference) else ""


def _crossed(inputs: Tensor, some: Sequence[Example], reading: Tensor, place: Mapping[str, int], side: int) -> Tensor:
    """Return for one side of each pair its answer's features, once for every number that is read off its principle."""
    answers = inputs[[e.answers[side] for e in some]]
    read = reading[[place[_principle(e)] for e in some]]
    return (read[:, :, None] * answers[:, None]).flatten(1)


def _evidence(some: Sequence[Example]) -> Evidence:
    first, rows = torch.arange(len(some)), [e.row for e in some if isinstance(e.row, Preference)]
    said, weight = (
        torch.tensor(v, dtype=torch.float64) for v in ([r.probability for r in rows], [r.weight for r in rows])
    )
    fold, none, nothing = torch.tensor([e.fold for e in some]), first[:0], said[:0]
    pairs = Pairs(first, first + len(some), said, weight, fold, torch.zeros_like(first))
    return Evidence(pairs, Thumbs(none, nothing, nothing, none, none, none, none))


def _accuracy(
    head: Instructed, inputs: Tensor, some: Sequence[Example], known: Tensor, place: Mapping[str, int], by: int
) -> float | None:
    """Return how often it is right, each pair under the principle that stands `by` places after its own."""
    if not some:
        return None
    texts = known[[(place[_principle(e)] + by) % len(place) for e in some]]
    first, second = (head.scores(inputs[[e.answers[side] for e in some]], texts) for side in (0, 1))
    return accuracy((first - second).tolist(), [e.row.probability for e in some if isinstance(e.row, Preference)])
