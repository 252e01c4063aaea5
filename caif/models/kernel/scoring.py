"""Log-probabilities of given replies by teacher forcing: one pass over the trie of all that is asked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from caif.models.kernel import head
from caif.models.kernel.attention import hidden

if TYPE_CHECKING:
    from transformers import PreTrainedModel

HEAD_ROWS = 64
"""How many rows meet the output matrix at once: at a vocabulary of 150,000, 40 MB of logits, three times over."""


class Reply(NamedTuple):
    """A reply's token ids after its prompt's, and the temperature at which its probability is wanted."""

    prompt: list[int]
    ids: list[int]
    temperature: float = 1.0


def logprobs(model: "PreTrainedModel", replies: Sequence[Reply]) -> list[float]:
    """Return log P(reply | prompt) for each: all its tokens count, and nothing after it. No prompt may be empty.

    The last token of a reply is never computed, only looked up; so replies that differ in it alone cost one.
    """
    with torch.inference_mode():
        states, paths = hidden(model, [[*reply.prompt, *reply.ids[:-1]] for reply in replies])
        places = [path[len(reply.prompt) - 1 :][: len(reply.ids)] for reply, path in zip(replies, paths, strict=True)]
        wanted = [
            (place, token, reply.temperature)
            for reply, found in zip(replies, places, strict=True)
            for place, token in zip(found, reply.ids, strict=True)
        ]
        values = iter(_look_up(model, states, wanted))
    return [sum(next(values) for _ in reply.ids) for reply in replies]


def _look_up(model: "PreTrainedModel", states: torch.Tensor, wanted: list[tuple[int, int, float]]) -> list[float]:
    """Return log P(token) at some places and temperatures; every place meets the output matrix once."""
    places = sorted({place for place, _, _ in wanted})
    of = {place: [n for n, one in enumerate(wanted) if one[0] == place] for place in places}
    values = [0.0] * len(wanted)
    for first in range(0, len(places), HEAD_ROWS):
        some = places[first : first + HEAD_ROWS]
        asked = [(row, n) for row, place in enumerate(some) for n in of[place]]
        logits = head.logits(model, states[some])
        for temperature in sorted({wanted[n][2] for _, n in asked}):
            total = (logits / temperature).logsumexp(-1)
            for row, n in asked:
                if wanted[n][2] == temperature:
                    values[n] = float(logits[row, wanted[n][1]] / temperature - total[row])
    return values
