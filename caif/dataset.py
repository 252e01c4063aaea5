"""Rows as `datasets.DatasetDict`s in TRL's conversational preference and unpaired formats, caif's columns after TRL's.

They are made column by column from batches of the rows as they are stored: a million rows are seconds.
"""

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caif.content import Row
from caif.data import Origin, Preference, Rating

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import DatasetDict

OWN = ("id", "weight", "objective", "source", "rater")
SPLITS = ("train", "heldout")

Columns = Mapping[str, Any]


def preference_dataset(batches: "Iterable[pa.RecordBatch]") -> "DatasetDict":
    """Return `prompt`, `chosen`, `rejected` as messages, with probability, weight and provenance.

    A tie stays out: TRL takes every pair for a hard label, and here the label would be a toss.
    """
    import pyarrow.compute as pc

    def columns(batch: "pa.RecordBatch") -> Columns:
        talks = {name: _said(batch.column(name)) for name in ("chosen", "rejected")}
        return {**talks, **{name: batch.column(name) for name in ("probability", "principle")}}

    decided = (batch.filter(pc.not_equal(batch.column("probability"), 0.5)) for batch in batches)
    return _dataset(decided, Preference, columns)


def unpaired_dataset(batches: "Iterable[pa.RecordBatch]") -> "DatasetDict":
    """Return `prompt` and `completion` as messages and `label` as bool, with weight and provenance."""

    def columns(batch: "pa.RecordBatch") -> Columns:
        return {
            "completion": _said(batch.column("completion")),
            "label": batch.column("up"),
            "reason": batch.column("reason"),
        }

    return _dataset(batches, Rating, columns)


def save(data: "DatasetDict", folder: Path) -> None:
    """Save a data set so that it can be loaded: datasets writes no file for an empty split, and then cannot read it."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    quiet = are_progress_bars_disabled()
    disable_progress_bars()
    data.save_to_disk(str(folder), num_shards={name: None if len(rows) else 1 for name, rows in data.items()})
    if not quiet:
        enable_progress_bars()


def _said(texts: "pa.Array") -> "pa.Array":
    """Return each text as what the assistant says."""
    import pyarrow as pa

    turns = pa.StructArray.from_arrays([pa.repeat("assistant", len(texts)), texts], ["role", "content"])
    return pa.ListArray.from_arrays(pa.array(range(len(texts) + 1), pa.int32()), turns)


def _dataset(
    batches: "Iterable[pa.RecordBatch]", kind: type[Row], columns: Callable[["pa.RecordBatch"], Columns]
) -> "DatasetDict":
    import pyarrow as pa
    import pyarrow.compute as pc
    from datasets import DatasetDict

    from caif.tables import schema_of

    splits: dict[str, list[pa.RecordBatch]] = {name: [] for name in SPLITS}
    empty = pa.RecordBatch.from_pylist([], schema_of(kind))
    for batch in (empty, *batches):
        split = pc.struct_field(batch.column("prompt"), "split")
        for name, parts in splits.items():
            some = batch.filter(pc.equal(split, name))
            if some.num_rows or not parts:
                parts.append(_whole(some, columns))
    return DatasetDict({name: _of(parts) for name, parts in splits.items()})


def _whole(batch: "pa.RecordBatch", columns: Callable[["pa.RecordBatch"], Columns]) -> "pa.RecordBatch":
    """Return TRL's columns, caif's own, and the origin's."""
    import pyarrow as pa
    import pyarrow.compute as pc

    own = {name: batch.column(name) for name in OWN}
    origin = {name: pc.struct_field(batch.column("origin"), name) for name in Origin.model_fields}
    prompt = pc.struct_field(batch.column("prompt"), "messages")
    return pa.RecordBatch.from_pydict({"prompt": prompt, **columns(batch), **own, **origin})


def _of(batches: "list[pa.RecordBatch]") -> Any:
    """Return a split. It is named from its rows, not at random: the same rows must give the same bytes."""
    import pyarrow as pa
    from datasets import Dataset

    named = blake2b(digest_size=8)
    for batch in batches:
        named.update(batch.serialize())
    return Dataset(pa.Table.from_batches(batches), fingerprint=named.hexdigest())
