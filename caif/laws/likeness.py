"""Which principles say nearly the same: they share most of their words, or most of their runs of five letters."""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

SAME = 0.7
"""The share of what two texts have in all that they have in common (Jaccard), from which they count as one."""
RUN = 5
_WORD = re.compile(r"[^\W_]+")
_COMMON = frozenset(
    "a an and any are as at be by for from give gives has have how in is it its last of on one or out please point "
    "response answer assistant rewrite so that the their them this to was what where which who with your".split()
)


class Twins(NamedTuple):
    """Two names and how alike their texts are, from 0 to 1."""

    first: str
    second: str
    likeness: float


def twins(texts: Mapping[str, str], least: float = SAME) -> list[Twins]:
    """Return the pairs of texts that are at least that alike, the most alike first.

    Words that carry no meaning of their own are left out, and so is what more than half of at least four texts share:
    the frame of a template, not what is said in it.
    """
    words = {name: _words(text) for name, text in texts.items()}
    seen = Counter(word for some in words.values() for word in some)
    frame = {word for word, times in seen.items() if len(texts) >= 4 and times > len(texts) / 2}
    kept = {name: [word for word in _words_in_order(text) if word not in frame] for name, text in texts.items()}
    sets = {name: frozenset(some) for name, some in kept.items()}
    runs = {name: _runs(" ".join(some)) for name, some in kept.items()}
    found = [
        Twins(a, b, max(jaccard(sets[a], sets[b]), jaccard(runs[a], runs[b])))
        for a, b in combinations(texts, 2)
        if sets[a] and sets[b]
    ]
    return sorted((pair for pair in found if pair.likeness >= least), key=lambda pair: -pair.likeness)


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Return the share of the union that both have; two empty sets have nothing in common."""
    return len(a & b) / len(a | b) if a | b else 0.0


def _words_in_order(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in _COMMON]


def _words(text: str) -> frozenset[str]:
    return frozenset(_words_in_order(text))


def _runs(text: str) -> frozenset[str]:
    return frozenset(text[n : n + RUN] for n in range(max(1, len(text) - RUN + 1)))
