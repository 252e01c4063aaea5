"""Sequences of token ids laid out as a trie: what several begin with stands there once and is computed once.

For one comparison the rules, the conversation and both answers are common to all principles, and the samples of one
prompt have all of it in common. No token is padding.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol


class Held(Protocol):
    """Tokens that were computed before: how many, and where the longest beginning of a sequence lies among them."""

    size: int

    def path(self, ids: Sequence[int]) -> list[int]:
        """Return the places of that beginning's tokens; it is shorter than the sequence."""
        ...


class Run(NamedTuple):
    """Tokens that follow one another in the layout. `path` is what the last of them may see: all before it, and itself."""

    start: int
    stop: int
    path: list[int]


class Trie(NamedTuple):
    """Tokens in layout order, each one's position in its sequence, and where every token of each sequence lies.

    Where tokens were computed before, they come first in all paths, and are not laid out.
    """

    tokens: list[int]
    positions: list[int]
    runs: list[Run]
    paths: list[list[int]]


def lay_out(sequences: Sequence[Sequence[int]], before: Held | None = None) -> Trie:
    """Return the trie of some sequences; in sorted order each one shares with the last all that it shares with any."""
    trie = Trie([], [], [], [[] for _ in sequences])
    last: Sequence[int] = ()
    path: list[int] = []
    first = before.size if before else 0
    for i in sorted(range(len(sequences)), key=lambda i: tuple(sequences[i])):
        ids = sequences[i]
        known = before.path(ids) if before else []
        path = max(path[: shared(last, ids)], known, key=len)
        same, start = len(path), len(trie.tokens)
        stop = start + len(ids) - same
        path = [*path, *range(first + start, first + stop)]
        if stop > start:
            trie.runs.append(Run(start, stop, path))
        trie.tokens.extend(ids[same:])
        trie.positions.extend(range(same, len(ids)))
        trie.paths[i], last = path, ids
    return trie


def cut(sequences: Sequence[Sequence[int]], limit: int) -> list[list[int]]:
    """Return batches of row numbers whose tries hold at most `limit` tokens each, or one sequence.

    They are cut where neighbours share least, as long as that leaves a batch at least half full.
    """
    order = sorted(range(len(sequences)), key=lambda i: tuple(sequences[i]))
    common = [shared(sequences[i], sequences[j]) for i, j in pairwise(order)]
    batches, start = [], 0
    while start < len(order):
        stop = start + 1
        held = [len(sequences[order[start]])]
        while stop < len(order) and held[-1] + (more := len(sequences[order[stop]]) - common[stop - 1]) <= limit:
            held.append(held[-1] + more)
            stop += 1
        if stop < len(order):
            half = [end for end in range(start + 1, stop + 1) if 2 * held[end - start - 1] >= limit]
            stop = min(half or [stop], key=lambda end: (common[end - 1], -end))
        batches.append(order[start:stop])
        start = stop
    return batches


def shared(a: Sequence[int], b: Sequence[int]) -> int:
    """Return how many first tokens two sequences share."""
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def pieces(path: Sequence[int]) -> list[slice]:
    """Return a path as the few pieces that lie together in the layout."""
    breaks = [n for n in range(1, len(path)) if path[n] != path[n - 1] + 1]
    return [slice(path[start], path[stop - 1] + 1) for start, stop in pairwise([0, *breaks, len(path)])]
