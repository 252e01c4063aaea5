"""Rows as `datasets.DatasetDict`s in TRL's conversational preference and unpaired formats, caif's columns after TRL's."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caif.data import Preference, Rating

if TYPE_CHECKING:
    from datasets import DatasetDict, Features

OWN = ("id", "weight", "objective", "source", "rater")


def preference_dataset(rows: Sequence[Preference]) -> "DatasetDict":
    """Return `prompt`, `chosen`, `rejected` as messages, with probability, weight and provenance."""

    def columns(row: Preference) -> dict[str, Any]:
        return {
            "prompt": row.prompt.chat, "chosen": _said(row.chosen), "rejected": _said(row.rejected),
            "probability": row.probability, "principle": row.principle,
        }  # fmt: skip

    return _dataset(rows, columns, {"chosen": "talk", "rejected": "talk", "probability": "float64", "principle": "string"})


def unpaired_dataset(rows: Sequence[Rating]) -> "DatasetDict":
    """Return `prompt` and `completion` as messages and `label` as bool, with weight and provenance."""

    def columns(row: Rating) -> dict[str, Any]:
        return {"prompt": row.prompt.chat, "completion": _said(row.completion), "label": row.up, "reason": row.reason}

    return _dataset(rows, columns, {"completion": "talk", "label": "bool", "reason": "string"})


def save(data: "DatasetDict", folder: Path) -> None:
    """Save a data set so that it can be loaded: datasets writes no file for an empty split, and then cannot read it."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    quiet = are_progress_bars_disabled()
    disable_progress_bars()
    data.save_to_disk(str(folder), num_shards={name: None if len(rows) else 1 for name, rows in data.items()})
    if not quiet:
        enable_progress_bars()


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def _dataset(rows: Sequence[Any], columns: Callable[[Any], dict[str, Any]], kinds: dict[str, str]) -> "DatasetDict":
    from datasets import Dataset, DatasetDict

    features = _features({"prompt": "talk", **kinds})
    splits: dict[str, list[dict[str, Any]]] = {"train": [], "heldout": []}
    for row in rows:
        splits[row.prompt.split].append(columns(row) | {name: getattr(row, name) for name in OWN})
    # Named from the rows, not at random: the same rows must give the same bytes. From an empty list datasets makes a
    # table without columns, which it then refuses to read.
    empty: dict[str, list[Any]] = {name: [] for name in features}
    return DatasetDict({
        name: Dataset.from_list(some, features=features) if some else Dataset.from_dict(empty, features=features)
        for name, some in splits.items()
    })


def _features(kinds: dict[str, str]) -> "Features":
    from datasets import Features, List, Value

    talk = List({"role": Value("string"), "content": Value("string")})
    own = {"id": "string", "weight": "float64", "objective": "string", "source": "string", "rater": "string"}
    return Features({name: talk if kind == "talk" else Value(kind) for name, kind in {**kinds, **own}.items()})
