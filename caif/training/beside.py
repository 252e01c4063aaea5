"""What is no answer to a prompt, scored beside its real ones: a bare refusal, and an answer to another prompt."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from caif.audit.bootstrap import of_share, of_sums, ratio, redraw
from caif.audit.reward_card import DRAWS
from caif.content import digest
from caif.data import Preference, Prompt
from caif.intervals import CHANCE
from caif.sources.mismatch import Said, stranger
from caif.sources.refusals import draw_refusal
from caif.training.examples import Example
from caif.training.reward_model import RewardModel

MOST = 40
"""Beside the answers to how many prompts it is set."""
TIE = 1e-4
"""Scores of one text differ by less, whatever it is scored with."""
PREFERRED, GAP, PROMPTS = range(3)
"""Columns of what adds up over prompts."""


class Beside(NamedTuple):
    """A real answer to a prompt, by its number, and what is set beside it."""

    prompt: Prompt
    own: int
    text: str


def refusals(model: RewardModel, scores: Tensor, heldout: Sequence[Example], seed: int) -> dict[str, Any] | None:
    """Return how a bare refusal scores beside the real answers to held-out prompts that are safe; None without any.

    Safe are those tagged so; where no prompt is, those that are not tagged unsafe.
    """
    tagged = any("safe" in example.row.prompt.tags for example in heldout)
    safe = [e for e in heldout if ("safe" in e.row.prompt.tags if tagged else "unsafe" not in e.row.prompt.tags)]
    answers = {n: e.row.prompt for e in safe for n in e.answers}
    found = [Beside(prompt, n, draw_refusal(prompt, seed)) for n, prompt in answers.items()]
    table = _measured(model, scores, found, seed)
    return table and {"which": "safe" if tagged else "not unsafe", **table}


def strangers(model: RewardModel, scores: Tensor, heldout: Sequence[Example], seed: int) -> dict[str, Any] | None:
    """Return how an answer to another prompt scores beside the better ones to a held-out prompt; None where none can.

    Another prompt's is an answer preferred there, to a prompt about something else; of those that do not name what this
    one asks for, the one nearest in length.
    """
    pairs = [(e.row, e.answers[0]) for e in heldout if isinstance(e.row, Preference) and e.row.probability > CHANCE]
    said = {n: Said.to(row.prompt, row.chosen) for row, n in pairs}
    by_opening: dict[str, list[int]] = {}
    for n, one in said.items():
        by_opening.setdefault(one.prompt.opening, []).append(n)
    found, prompts = [], 0
    for opening in sorted(by_opening, key=digest):
        own = {said[n].text for n in by_opening[opening]}
        others = [other for other in said.values() if other.text not in own]
        near = [(n, stranger(said[n], others)) for n in by_opening[opening]]
        some = [Beside(said[n].prompt, n, other.text) for n, other in near if other is not None]
        found += some
        prompts += bool(some)
        if prompts == MOST:
            break
    table = _measured(model, scores, found, seed)
    return table and {"of": len(by_opening), **table}


def _measured(model: RewardModel, scores: Tensor, beside: Sequence[Beside], seed: int) -> dict[str, Any] | None:
    """Return how often what is set beside answers scores above them and by how many deviations, all heads together.

    Both are means over prompts with their intervals; a tie is one half.
    """
    openings = sorted({one.prompt.opening for one in beside}, key=digest)[:MOST]
    if not openings:
        return None
    place = {opening: n for n, opening in enumerate(openings)}
    some = [one for one in beside if one.prompt.opening in place]
    asked = list(dict.fromkeys((one.prompt, one.text) for one in some))
    scored = model.rewards([prompt for prompt, _ in asked], [text for _, text in asked]).sum(1).tolist()
    theirs = dict(zip(asked, scored, strict=True))
    real = model.standard(scores).sum(1).tolist()
    sums = np.zeros((len(openings), 3))
    for one in some:
        gap = theirs[one.prompt, one.text] - real[one.own]
        sums[place[one.prompt.opening]] += (CHANCE if abs(gap) <= TIE else gap > 0, gap, 1)
    means = np.concatenate([sums[:, :2] / sums[:, 2:], np.ones((len(openings), 1))], axis=1)
    drawn = redraw(means, DRAWS, seed)
    return {
        "answers": len(some),
        "preferred": of_share(PREFERRED, PROMPTS, means, drawn),
        "gap": of_sums(ratio(GAP, PROMPTS), means, drawn),
    }
