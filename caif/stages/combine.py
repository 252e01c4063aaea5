"""Put all feedback into one data set: thumbs up and down on a prompt become pairs, sources are weighed and capped.

Every row keeps its source, rater and principle. Nothing is dropped without being counted. The split is by prompt: rows
on prompts held out for evaluation, and on a share of all others, are never trained on.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from caif.config import Combine
from caif.content import digest
from caif.data import Preference, Prompt, Rating, split_of
from caif.errors import FAILED, CaifError
from caif.run import Work
from caif.store import Artifact

R = TypeVar("R", Preference, Rating)

EVEN = 1e-9
"""Thumbs whose weights differ by no more than this are as many up as down: 0.1 + 0.2 is 0.3."""
DERIVED = "thumbs up and down"
"""The rater of a pair that was made of two thumbs."""


def combine(work: Work, asked: Artifact, *feedback: Artifact | None, cfg: Combine) -> dict[str, Any]:
    """Write the mixture as rows, and as TRL's `preference` and `unpaired` data sets."""
    sources = [artifact for artifact in feedback if artifact is not None]
    preferences = [_upright(row) for source in sources for row in _kept(work, source, source.rows(Preference), cfg)]
    ratings = [row for source in sources for row in _kept(work, source, source.rows(Rating), cfg)]
    if ratings and len({row.up for row in ratings}) == 1:
        way = "up" if ratings[0].up else "down"
        work.tell.warn(f"combine: all {len(ratings)} thumbs point {way}, so no pair can be made of them")
    paired, ratings = pair_thumbs(ratings)
    work.draft.count("pairs from thumbs", len(paired))
    unique = _merged(work, [*preferences, *paired])
    ratings = _merged(work, ratings)
    unique = _at_most(work, unique, cfg.per_prompt, work.seed)
    splits = {p.opening: p.split for p in asked.rows(Prompt)}  # a later turn of a held-out conversation is held out too
    unique = [_split(row, splits, cfg, work.seed) for row in unique]
    ratings = [_split(row, splits, cfg, work.seed) for row in ratings]
    if not any(row.prompt.split == "train" and row.weight > 0 for row in [*unique, *ratings]):
        raise CaifError("combine: no row is left to train on", "see the counts of each source: caif show", code=FAILED)
    work.write(unique, Preference)
    work.write(ratings, Rating)
    _save_datasets(work, unique, ratings)
    return {"sources": _by_source([*unique, *ratings]), "train": sum(r.prompt.split == "train" for r in [*unique, *ratings])}


combine.version = 2


def pair_thumbs(ratings: Sequence[Rating]) -> tuple[list[Preference], list[Rating]]:
    """Return the pairs that thumbs up and down on one prompt give (METHODS 4.7), and the thumbs that stay thumbs.

    A pair needs two different answers to the same prompt under the same objective, one liked on balance, one disliked.
    An answer with as many thumbs up as down is neither. A thumb that became part of a pair is not counted again.
    """
    answers: dict[tuple[str, str], dict[str, list[Rating]]] = defaultdict(lambda: defaultdict(list))
    for rating in ratings:
        answers[rating.prompt.id, rating.objective][rating.completion].append(rating)
    pairs: list[Preference] = []
    used: set[str] = set()
    for votes in answers.values():
        balance = {text: math.fsum(r.weight if r.up else -r.weight for r in some) for text, some in votes.items()}
        liked = [text for text, b in balance.items() if b > EVEN]
        disliked = [text for text, b in balance.items() if b < -EVEN]
        for good in liked:
            for bad in disliked:
                pairs.append(_pair(votes[good], votes[bad], share=1 / max(len(liked), len(disliked))))
                used |= {r.id for r in [*votes[good], *votes[bad]]}
    return pairs, [rating for rating in ratings if rating.id not in used]


def _pair(good: list[Rating], bad: list[Rating], share: float) -> Preference:
    sources = sorted({rating.source for rating in [*good, *bad]})
    weights = [math.fsum(r.weight for r in some) / len(some) for some in (good, bad)]  # fsum knows no order
    return Preference(
        prompt=good[0].prompt, chosen=good[0].completion, rejected=bad[0].completion, probability=1.0,
        weight=min(weights) * share, objective=good[0].objective, source="+".join(sources), rater=DERIVED,
    )  # fmt: skip


def _kept(work: Work, source: Artifact, rows: list[R], cfg: Combine) -> list[R]:
    """Apply a source's weight and cap; which rows a cap keeps depends on their content, not on their order."""
    cap, weight = cfg.caps.get(source.stage), cfg.weights.get(source.stage, 1.0)
    if cap is not None and len(rows) > cap:
        work.draft.count(f"over the cap of {source.stage}", len(rows) - cap)
        rows = sorted(rows, key=lambda row: digest([work.seed, row.id]))[:cap]
    return [row.but(weight=row.weight * weight) if weight != 1 else row for row in rows]


def _upright(row: Preference) -> Preference:
    """Put the likelier answer first, so that the same opinion is the same row however it was written down."""
    if row.probability > 0.5 or (row.probability == 0.5 and row.chosen <= row.rejected):
        return row
    return row.but(chosen=row.rejected, rejected=row.chosen, probability=1 - row.probability)


def _merged(work: Work, rows: Iterable[R]) -> list[R]:
    unique: dict[str, R] = {}
    for row in rows:
        if row.id in unique:
            work.draft.count("duplicate merged")
        unique.setdefault(row.id, row)
    return list(unique.values())


def _at_most(work: Work, rows: list[Preference], limit: int, seed: int) -> list[Preference]:
    """Keep at most `limit` pairs a prompt, so that a prompt with many answers does not outvote the others."""
    groups: dict[str, list[Preference]] = defaultdict(list)
    for row in rows:
        groups[row.prompt.id].append(row)
    dropped: set[str] = set()
    for some in groups.values():
        dropped |= {row.id for row in sorted(some, key=lambda row: digest([seed, row.id]))[limit:]}
    if dropped:
        work.draft.count("over the limit of pairs a prompt", len(dropped))
    return [row for row in rows if row.id not in dropped]


def _split(row: R, splits: Mapping[str, str], cfg: Combine, seed: int) -> R:
    split = splits.get(row.prompt.opening, "train")
    if split == "train":
        split = split_of(row.prompt, cfg.heldout, "combine", seed)
    return row.model_copy(update={"prompt": row.prompt.model_copy(update={"split": split})})


def _by_source(rows: Sequence[Preference | Rating]) -> dict[str, dict[str, float]]:
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        kind = "pairs" if isinstance(row, Preference) else "thumbs"
        table[row.source].update({kind: 1, row.prompt.split: 1})
        table[row.source]["weight"] += row.weight  # type: ignore[assignment]
    return {source: dict(counts) for source, counts in sorted(table.items())}


def _save_datasets(work: Work, preferences: Sequence[Preference], ratings: Sequence[Rating]) -> None:
    """Save both as DatasetDicts with the columns TRL asks for first and caif's own after them.

    A tie stays out of the pairs: TRL takes every pair for a hard label, and here the label would be a toss.
    """
    from caif.dataset import preference_dataset, save, unpaired_dataset

    decided = [row for row in preferences if row.probability != 0.5]
    if ties := len(preferences) - len(decided):
        work.draft.count("ties left out of TRL's pairs", ties)
    save(preference_dataset(decided), work.draft.folder / "preference")
    save(unpaired_dataset(ratings), work.draft.folder / "unpaired")
