"""How long it takes to weigh so many labels and fuse them, in seconds of the processor, and what memory.

Six labels of ten are people's, a fiftieth as many people as labels, 40 % of whom vote against what they see; the others are
numbers of a judge under 16 principles, which likes length. Beside it stands a floor measured in the same run: as many
plain sums of the labels by item as EM may take steps. Run it with the numbers of labels:

    python tests/bench/bench_fuse.py 10000 100000 1000000
"""

import sys
import time

import numpy as np
from machine import high_water

from caif.raters.votes import Items, Votes, fuse

TROLLS, PEOPLE, PRINCIPLES = 0.4, 0.6, 16
PASSES = 100


def made(count: int) -> tuple[Votes, Items, np.ndarray]:
    """Return labels of three tenths as many comparisons, and which answers are better."""
    draw, items, people = np.random.default_rng(0), count * 3 // 10, max(count // 50, 10)
    truth, item, human = draw.integers(0, 2, items), draw.integers(0, items, count), draw.random(count) < PEOPLE
    rater = np.where(human, draw.integers(0, people, count), people + draw.integers(0, PRINCIPLES, count))
    skill = np.append(np.where(draw.random(people) < TROLLS, 0.2, 0.85), np.full(PRINCIPLES, 0.7))
    side = np.where(draw.random(count) < skill[rater], truth[item], 1 - truth[item])
    features = draw.normal(size=(items, 3))
    number = 1 / (1 + np.exp(-(3 * side - 1.5 + features[item, 0])))
    names = tuple(f"r{n}" for n in range(people + PRINCIPLES))
    votes = Votes(
        item, rater, 1 - human.astype(int), np.where(human, side, number), np.ones(count), draw.integers(-1, 2, count),
        names, ("people", "ai"), frozenset({"people"}),
    )  # fmt: skip
    return votes, Items(np.arange(items), items + np.arange(items), features), truth


def main(counts: list[int]) -> None:
    """Print a line for each number of labels."""
    for count in counts:
        votes, items, truth = made(count)
        started = time.process_time()
        found = fuse(votes, items)
        took = time.process_time() - started
        started = time.process_time()
        for _ in range(PASSES):
            np.bincount(votes.item, votes.p, len(truth))
        floor = time.process_time() - started
        right = np.mean((found.p > 0.5) == (truth == 1))
        print(
            f"{count:>9,} labels, {len(truth):,} comparisons: {took:.1f} CPU s ({took / floor:.0f} times the floor), "
            f"peak {high_water():.2f} GB, {right:.3f} right"
        )


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [10_000, 100_000])
