"""Where the reward model does not know which answer it likes better, a person's word teaches it most."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from caif.errors import CaifError
from caif.review.items import Item, undecided, usefulness

if TYPE_CHECKING:
    from caif.training.reward_model import RewardModel

LOOKED_AT = 200
"""Pairs that the reward model is asked about: those that are most useful already. On a processor it reads slowly."""


def unsure(folder: Path, items: Sequence[Item], objective: str) -> list[Item]:
    """Return the pairs with what the reward model's head of this objective, or of any if it has none, is unsure of."""
    from caif.training.reward_model import RewardModel

    model = RewardModel.load(folder)
    heads = [model.objectives.index(objective)] if objective in model.objectives else range(len(model.objectives))
    looked_at = sorted(items, key=usefulness, reverse=True)[:LOOKED_AT]
    fitting = [one for one in looked_at if all(_fits(model, one, text) for text in one.answers)]
    texts = [(one.prompt, text) for one in fitting for text in one.answers]
    scores = model.scores([prompt for prompt, _ in texts], [text for _, text in texts]).tolist()
    found = {}
    for one, first, second in zip(fitting, scores[::2], scores[1::2], strict=True):
        value = max(undecided(1 / (1 + math.exp(min(50.0, second[head] - first[head])))) for head in heads)
        found[one.id] = one._replace(signals={**one.signals, "reward model unsure": value} if value else one.signals)
    return [found.get(one.id, one) for one in items]


def _fits(model: "RewardModel", one: Item, answer: str) -> bool:
    try:
        model.encode(one.prompt, answer)
    except CaifError:  # an answer that alone is longer than the model reads
        return False
    return True
