"""The way from all sources' rows to the mixture, step by step; every step is a function on columns."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from caif.config import Combine
from caif.content import Row
from caif.data import Preference, Prompt, Rating
from caif.mixture import boilerplate, decontaminate, shares
from caif.mixture.duplicates import contradictory, firsts, summed
from caif.mixture.fused import fuse_rows
from caif.mixture.groups import connected
from caif.mixture.keys import answers, comparisons, ranks
from caif.mixture.near import near_duplicates
from caif.mixture.numbers import numbers, people
from caif.mixture.reading import read
from caif.mixture.rows import Bools, Ints, Links, Rows, crossed, joined, large_schema, numbered, of_table
from caif.mixture.splitting import sides
from caif.mixture.tally import Tally
from caif.mixture.thumbs import pair_thumbs
from caif.run import Tell
from caif.store import Artifact

LARGE = 0.5
"""A group that hangs together and holds more of the rows than this leaves no honest split."""

NONE: Links = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
"""No links."""


class Step(NamedTuple):
    """The rows as they are now, and what was said: the same rows before others were made of them."""

    pairs: Rows
    thumbs: Rows
    said: tuple[Rows, Rows]


class Mixture(NamedTuple):
    """What the mixture is: preferences and ratings, which of either are held out, and its numbers."""

    parts: tuple[Rows, Rows]
    heldout: Sequence[Bools]
    numbers: dict[str, Any]

    @property
    def trainable(self) -> bool:
        """Whether there is anything to train on; weight 0 means to learn nothing."""
        return any(
            (rows.kept & ~out & (rows.weight > 0)).any() for rows, out in zip(self.parts, self.heldout, strict=True)
        )


def mix(
    sources: Sequence[Artifact], asked: Collection[Prompt], cfg: Combine, seed: int, tally: Tally, tell: Tell
) -> Mixture:
    """Return the mixture of all sources."""
    step = settled(paired(cleaned(sources, cfg, seed, tally, tell), cfg, tally), cfg, tally)  # which lets the texts go
    pairs, near = without_near(step, cfg, tally)
    pairs = tally.leave(
        pairs, shares.over_limit(pairs, _prompts(pairs), cfg.per_prompt, seed), "over the limit of pairs a prompt"
    )
    pairs = shares.balanced(pairs) if cfg.balanced else pairs
    parts = pairs, step.thumbs
    split = sides(step.said, near, asked, cfg.split_by, cfg.heldout, seed)
    by = [*cfg.split_by, *(["borrowed answers"] if any(map(_borrows, step.said)) else [])]
    if split.largest > LARGE and len(by) > 1:
        less = "split by less" if len(cfg.split_by) > 1 else "have one source lend answers, to more prompts"
        tell.warn(f"combine: {split.largest:.0%} of the rows hang together by {', '.join(by)} and are on one side; {less}")
    parts, factors = _shared(parts, split.heldout, cfg, tell)
    said = {"raters": people(step.said)}
    return Mixture(parts, split.heldout, numbers(parts, split.heldout, tally, factors) | said)


def _borrows(rows: Rows) -> bool:
    return bool(pc.any(pc.not_equal(rows.column("origin", "borrowed"), "")).as_py())


def gathered(sources: Sequence[Artifact], kind: type[Row], cfg: Combine, seed: int, tally: Tally) -> Rows:
    """Return all sources' rows of one kind, each source under its cap and with its weight."""
    found = [of_table(kind, large_schema(kind).empty_table())]
    for source in sources:
        rows = of_table(kind, read(source, kind))
        tally.note(rows, rows.kept, "pairs in" if kind is Preference else "thumbs in")
        if (cap := cfg.caps.get(source.stage)) is not None:
            rows = tally.leave(rows, shares.over_cap(rows, cap, seed), f"over the cap of {source.stage}")
        found.append(rows.weighing(rows.weight * cfg.weights.get(source.stage, 1.0)))
    return joined(found)


def cleaned(sources: Sequence[Artifact], cfg: Combine, seed: int, tally: Tally, tell: Tell) -> tuple[Rows, Rows]:
    """Return all sources' pairs and thumbs without what must not be learned from."""
    pairs, thumbs = (once(gathered(sources, kind, cfg, seed, tally), tally) for kind in (Preference, Rating))
    _warn_of_one_way(thumbs, tell)
    if cfg.per_rater is not None:
        why = "over the limit of rows a rater"
        pairs, thumbs = (
            tally.leave(rows, shares.over_person(rows, cfg.per_rater, seed), why) for rows in (pairs, thumbs)
        )
    return without_evaluation(without_refusals(pairs, thumbs, cfg, tally), cfg, tally)


def once(rows: Rows, tally: Tally) -> Rows:
    """Return the rows with every opinion once, however often and by however many sources it was given."""
    first = firsts(rows)
    ids = rows.table["id"].take(pa.array(first))
    same = np.asarray(pc.equal(ids, rows.table["id"]).to_numpy(), dtype=bool)
    doubled = rows.kept & same & (first != np.arange(rows.size))
    tally.told(rows, doubled, "duplicate merged")
    return tally.leave(rows.without(doubled), ~same, "the same opinion from another source", ids)


def without_refusals(pairs: Rows, thumbs: Rows, cfg: Combine, tally: Tally) -> tuple[Rows, Rows]:
    """Return the rows without those that prefer a refusal by habit, if they are to go."""
    if cfg.boilerplate == "keep":
        return pairs, thumbs
    justified = boilerplate.backed(pairs, cfg.harm)
    gone = [boilerplate.unjustified(rows, justified, cfg.unsafe) for rows in (pairs, thumbs)]
    why = "prefers a refusal by habit"
    return tally.leave(pairs, gone[0], why), tally.leave(thumbs, gone[1], why)


def without_evaluation(parts: tuple[Rows, Rows], cfg: Combine, tally: Tally) -> tuple[Rows, Rows]:
    """Return the rows without those that repeat an evaluation set."""
    known = [decontaminate.known(path, cfg.words) for path in cfg.evaluation_sets]
    found = []
    for rows in parts:
        for one, gone in zip(known, decontaminate.overlapping(rows, known, cfg.words) if known else (), strict=True):
            rows = tally.leave(rows, gone, f"in evaluation set {one.name}")
        found.append(rows)
    return found[0], found[1]


def paired(parts: tuple[Rows, Rows], cfg: Combine, tally: Tally) -> Step:
    """Return the rows with pairs made of thumbs, and with one of each that several records say, which weighs what they do."""
    pairs, thumbs = parts
    made = pair_thumbs(thumbs, cfg.per_prompt)
    tally.came_from(made.pairs, thumbs, made.links, "pair of thumbs")
    tally.told(thumbs, made.used, "thumbs in pairs")
    tally.told(made.pairs, made.pairs.kept, "pairs from thumbs")
    found = []
    for rows in (joined([pairs, made.pairs]), thumbs.without(made.used)):
        rows, adding = summed(rows)
        tally.told(rows, adding, "same label of another record: weights added")
        found.append(rows)
    said = replace(found[1], kept=found[1].kept | made.used)
    return Step(found[0], found[1], (found[0], said))


def settled(step: Step, cfg: Combine, tally: Tally) -> Step:
    """Return the rows with contradictory labels of one comparison kept, set aside or fused."""
    if cfg.contradictions == "keep":
        return step
    pairs, thumbs = step.pairs, step.thumbs
    about = crossed(numbered(comparisons(pairs)), numbered(pairs.column("objective")))
    if cfg.contradictions == "set_aside":
        pairs = tally.leave(pairs, contradictory(pairs, about), "labels of one comparison contradict each other")
        return Step(pairs, thumbs, (pairs, step.said[1]))
    if not pairs.kept.any():
        return step
    speaking = replace(thumbs, kept=step.said[1].kept)  # a pair made of thumbs is no label: they are
    one = fuse_rows(pairs, speaking, about)
    tally.came_from(one.rows, pairs, one.pairs, "fused")
    tally.came_from(one.rows, thumbs, one.thumbs, "fused")
    tally.told(pairs, pairs.kept, "pairs fused")
    tally.told(thumbs, one.used, "thumbs fused")
    return Step(one.rows, thumbs.without(one.used), step.said)


def without_near(step: Step, cfg: Combine, tally: Tally) -> tuple[Rows, list[Links]]:
    """Return the pairs with near-duplicates weighing together what one does, or with one of each left; and links among them.

    Thumbs on answers that are nearly one keep their weight, since each is what somebody said; they are on one side, too.
    """
    pairs, said = step.pairs, step.said[1]
    if cfg.near_duplicates == "off":
        return pairs, [NONE, NONE]
    thumbs = _likenesses(said, answers(said, "completion"), cfg.alike)
    tally.told(said, thumbs.near, "near-duplicate: on the side of one")
    found = _likenesses(pairs, comparisons(pairs), cfg.alike)
    if cfg.near_duplicates == "drop":
        kept = pairs.table["id"].take(pa.array(found.like))
        return tally.leave(pairs, found.near, "near-duplicate", kept), [NONE, thumbs.links]
    tally.told(pairs, found.near, "near-duplicate: shares the weight of one")
    tally.came_from(pairs, pairs, found.links, "near-duplicate of")
    pairs = pairs.weighing(np.where(pairs.kept, pairs.weight / found.times, pairs.weight))
    return pairs, [found.links, thumbs.links]


class Likeness(NamedTuple):
    """Of each row, the row that stands for all that are like it, how many of these there are, and whether it is another one."""

    like: Ints
    times: Ints
    near: Bools

    @property
    def links(self) -> Links:
        """The rows that are in and like another one, and those."""
        return np.flatnonzero(self.near), self.like[self.near]


def _likenesses(rows: Rows, key: pa.ChunkedArray, alike: float) -> Likeness:
    """Return what rows are like by their texts, where rows of one key are the same."""
    if not rows.kept.any():
        return Likeness(np.arange(rows.size), np.ones(rows.size, dtype=np.int64), rows.kept)
    number, places = numbered(key), np.flatnonzero(rows.kept)
    shown = places[np.unique(number[places], return_index=True)[1]]
    shown = shown[np.argsort(ranks(key)[shown])]  # so that nothing depends on the order of rows
    group = connected(len(shown), *near_duplicates(rows, shown, alike))
    place = np.zeros(int(number.max()) + 1, dtype=np.int64)
    place[number[shown]] = np.arange(len(shown))
    mine = place[number]
    times = np.bincount(group, minlength=len(shown))
    return Likeness(shown[group[mine]], times[group[mine]], rows.kept & (group[mine] != mine))


def _shared(
    parts: tuple[Rows, Rows], heldout: Sequence[Bools], cfg: Combine, tell: Tell
) -> tuple[tuple[Rows, Rows], dict[str, float]]:
    trained = [(rows, rows.kept & ~out) for rows, out in zip(parts, heldout, strict=True)]
    before = shares.by_source(trained)
    factors = shares.factors(before, cfg.shares, cfg.share_limit)
    parts = shares.scaled(parts[0], factors), shares.scaled(parts[1], factors)
    weights = {name: weight * factors.get(name, 1.0) for name, weight in before.items()}
    for name, share in cfg.shares.items():
        reached = weights.get(name, 0.0) / (sum(weights.values()) or 1.0)
        if abs(reached - share) > 0.005:
            why = "no factor is over share_limit" if reached else "no row of it is left to train on"
            tell.warn(f"combine: {name} has {reached:.0%} of the weight, not {share:.0%}: {why}")
    return parts, factors


def _prompts(rows: Rows) -> Ints:
    return numbered(rows.column("prompt", "id"))


def _warn_of_one_way(thumbs: Rows, tell: Tell) -> None:
    up = np.asarray(thumbs.column("up").to_numpy(), dtype=bool)[thumbs.kept]
    if len(up) and (up.all() or not up.any()):
        tell.warn(f"combine: all {len(up)} thumbs point {'up' if up[0] else 'down'}, so no pair can be made of them")
