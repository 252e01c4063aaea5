"""Which runs of words an answer has that no reference text has."""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

RUN = 3
"""How many words make a run."""
Hashes = NDArray[np.uint64]


def runs_of(texts: Iterable[str]) -> Hashes:
    """Return the runs of words of all texts, each once, as sorted numbers. Case does not count."""
    return np.unique(np.fromiter((run for text in texts for run in _runs(text)), dtype=np.uint64))


def novelty(known: Hashes, text: str) -> float | None:
    """Return which share of a text's runs is not known; None for a text too short to have one."""
    runs = np.fromiter(_runs(text), dtype=np.uint64)
    return float(1 - np.isin(runs, known).mean()) if len(runs) else None


def _runs(text: str) -> Iterable[int]:
    words = text.lower().split()
    for n in range(len(words) - RUN + 1):
        said = " ".join(words[n : n + RUN]).encode("utf-8", "surrogatepass")
        yield int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "big")
