"""Synthetic crowds, whose truth is known."""

from typing import NamedTuple

import numpy as np

from caif.raters.votes import Items, Thumbs, Votes

ABSENT = np.zeros((0,), dtype=np.int64)


class Crowd(NamedTuple):
    """Who said what (1 or 0) of which item, what is true, and how often each rater is right."""

    item: np.ndarray
    rater: np.ndarray
    label: np.ndarray
    truth: np.ndarray
    skill: np.ndarray


def crowd(seed: int, skills: list[float], items: int = 400, each: int = 8, truth: float = 0.5) -> Crowd:
    """Return a crowd in which `each` raters, drawn anew, judge every item, and are right as often as their skill says."""
    draw = np.random.default_rng(seed)
    true = (draw.random(items) < truth).astype(int)
    rater = np.concatenate([draw.choice(len(skills), each, replace=False) for _ in range(items)])
    item = np.repeat(np.arange(items), each)
    right = draw.random(len(item)) < np.array(skills)[rater]
    return Crowd(item, rater, np.where(right, true[item], 1 - true[item]), true, np.array(skills))


def trolls(seed: int) -> list[float]:
    """Return the skills of 20 raters, of whom 40 % vote against what they see."""
    draw = np.random.default_rng(seed)
    return [*draw.uniform(0.75, 0.95, 12), *draw.uniform(0.1, 0.3, 8)]


def as_pairs(made: Crowd, order: np.ndarray | None = None) -> tuple[Votes, Items]:
    """Return the crowd's labels as votes on comparisons: 1 is a."""
    n, items = len(made.item), len(made.truth)
    names = tuple(f"r{k}" for k in range(len(made.skill)))
    votes = Votes(
        made.item, made.rater, np.zeros(n, dtype=int), made.label.astype(float), np.ones(n),
        np.zeros(n, dtype=int) if order is None else order, names, ("people",), frozenset({"people"}),
    )  # fmt: skip
    return votes, Items(2 * np.arange(items), 2 * np.arange(items) + 1, np.zeros((items, 0)))


def nobody(raters: tuple[str, ...] = (), sources: tuple[str, ...] = ()) -> Votes:
    """Return no votes at all."""
    return Votes(ABSENT, ABSENT, ABSENT, ABSENT * 1.0, ABSENT * 1.0, ABSENT, raters, sources)


def as_thumbs(made: Crowd) -> Thumbs:
    """Return the crowd's labels as thumbs on answers, numbered as the items are."""
    n, names = len(made.item), tuple(f"r{k}" for k in range(len(made.skill)))
    return Thumbs(made.item, made.rater, np.zeros(n, dtype=int), made.label == 1, np.ones(n), names, ("thumbs",))
