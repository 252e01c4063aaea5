"""What to label or to ask next: groups of texts that one side has and the other has not, by their most typical members."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from caif.coverage.clusters import k_means, typical
from caif.coverage.compare import Compared
from caif.coverage.distances import squared

GROUP, MOST, SHOWN = 8, 6, 3
"""Texts a group holds on average, groups that are named, and members of each that are shown."""

Text = dict[str, str]


def unlabelled(found: Compared, texts: Sequence[Text], seed: int) -> list[dict[str, Any]]:
    """Return groups of what RL asks or writes that is outside of the reward model's data, the largest first."""
    numbers = np.flatnonzero(found.outside)
    if not len(numbers):
        return []
    rows = found.asked[numbers]
    centres, own = k_means(rows, min(MOST, -(-len(rows) // GROUP)), seed)
    groups = [
        (int((own == k).sum()), typical(rows, centre, np.flatnonzero(own == k), SHOWN))
        for k, centre in enumerate(centres)
    ]
    return _largest([(n, [texts[numbers[m]] for m in members]) for n, members in groups])


def unasked(found: Compared, texts: Sequence[Text], seed: int) -> list[dict[str, Any]]:
    """Return groups of the reward model's prompts that no prompt of RL belongs to, the largest first."""
    near = found.asked[~found.outside]
    # So few groups that one without a prompt of RL is none by chance.
    centres, own = k_means(found.reference, max(2, min(len(found.reference), len(near)) // GROUP), seed)
    asked = set(squared(near, centres).argmin(axis=1).tolist())
    groups = []
    for k in sorted(set(range(len(centres))) - asked):
        members = np.flatnonzero(own == k)
        groups.append((len(members), [texts[m] for m in typical(found.reference, centres[k], members, SHOWN)]))
    return _largest(groups)


def _largest(groups: Sequence[tuple[int, list[Text]]]) -> list[dict[str, Any]]:
    largest = sorted((group for group in groups if group[0]), key=lambda group: -group[0])[:MOST]
    return [{"n": n, "examples": examples} for n, examples in largest]
