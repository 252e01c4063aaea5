"""Keys and values that one turn of some conversations leaves to the next, which begins as the last one ended."""

from bisect import bisect_left
from collections.abc import Sequence

import torch

from caif.models.kernel.trie import shared

Layers = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values [heads, tokens, size] of every layer."""


class Past:
    """What was computed of some sequences: empty at first, filled by `decode`, read by the next `decode`."""

    def __init__(self) -> None:
        self.size = 0
        self.layers: Layers = []
        self.found: list[tuple[list[int], list[int]]] = []

    def put(self, sequences: Sequence[tuple[list[int], Layers]]) -> None:
        """Hold these sequences, each with what every layer made of its tokens, instead of what was held."""
        found, size = [], 0
        for ids, _ in sequences:
            found.append((ids, [*range(size, size + len(ids))]))
            size += len(ids)
        each_layer = list(zip(*(layers for _, layers in sequences), strict=True))
        self.hold(found, size, [
            (torch.cat([keys for keys, _ in some], 1), torch.cat([values for _, values in some], 1)) for some in each_layer
        ])  # fmt: skip

    def hold(self, found: Sequence[tuple[list[int], list[int]]], size: int, layers: Layers) -> None:
        """Hold `size` tokens of every layer, and these sequences with where their tokens lie among them."""
        self.found, self.size, self.layers = sorted(found), size, layers

    def path(self, ids: Sequence[int]) -> list[int]:
        """Return where the longest beginning of a sequence lies that is held; never all of it: its end has to be computed."""
        at = bisect_left(self.found, (ids, []))  # what shares most with it stands just before or after its place
        best: list[int] = []
        for held, path in self.found[max(at - 1, 0) : at + 1]:
            same = min(shared(held, ids), len(ids) - 1)
            best = max(best, path[:same], key=len)
        return best
