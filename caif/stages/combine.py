"""Put all feedback into one data set: thumbs up and down on a prompt become pairs, sources are weighed, doubles taken out.

Every row keeps where it comes from. Nothing leaves without being counted by its source and listed with its reason, and
rows that were made of others, or weigh another thing than they came with, are traced in `evidence.parquet` (`row`,
`came_from`, `how`). Rows stand in columns all the way (`caif.mixture`), so that a million of them are minutes.
"""

from typing import TYPE_CHECKING, Any

from caif.config import Combine
from caif.content import Row
from caif.data import Preference, Prompt, Rating, Rejected
from caif.errors import FAILED, CaifError
from caif.run import Work
from caif.store import Artifact, table_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from caif.mixture.mixing import Mixture
    from caif.mixture.tally import Tally


def combine(work: Work, asked: Artifact, *feedback: Artifact | None, cfg: Combine) -> dict[str, Any]:
    """Write the mixture as rows, and as TRL's `preference` and `unpaired` data sets."""
    from caif.mixture.mixing import mix
    from caif.mixture.tally import Tally

    tally = Tally(work.draft.count)
    mixture = mix([artifact for artifact in feedback if artifact], asked.rows(Prompt), cfg, work.seed, tally, work.tell)
    if not mixture.trainable:
        raise CaifError("combine: no row is left to train on", "see the counts of each source: caif show", code=FAILED)
    _write(work, mixture, tally)
    numbers = mixture.numbers
    del mixture  # its texts are on disk now, and the data sets hold them once more
    _save_datasets(work)
    return numbers


combine.version = 9


def _write(work: Work, mixture: "Mixture", tally: "Tally") -> None:
    """Write the rows that are in, those that left, and what rows were made of."""
    from caif.mixture.writing import write, write_table

    for rows, heldout in zip(mixture.parts, mixture.heldout, strict=True):
        name = table_name(rows.kind)
        work.draft.counts[name] = write(rows, heldout, work.draft.folder / f"{name}.parquet", tally.weighed)
    if tally.left.num_rows:
        work.draft.counts[table_name(Rejected)] = tally.left.num_rows
    write_table(tally.left, work.draft.folder / f"{table_name(Rejected)}.parquet")
    write_table(tally.evidence, work.draft.folder / "evidence.parquet")


def _save_datasets(work: Work) -> None:
    """Save both kinds of rows as DatasetDicts with the columns TRL asks for first and caif's own after them."""
    from caif.dataset import preference_dataset, save, unpaired_dataset

    pairs = preference_dataset(_batches(work, Preference))
    if ties := work.draft.counts["preference"] - sum(len(rows) for rows in pairs.values()):
        work.draft.count("ties left out of TRL's pairs", ties)
    save(pairs, work.draft.folder / "preference")
    save(unpaired_dataset(_batches(work, Rating)), work.draft.folder / "unpaired")


def _batches(work: Work, kind: type[Row]) -> "Iterator[pa.RecordBatch]":
    import pyarrow.parquet as pq

    with pq.ParquetFile(work.draft.folder / f"{table_name(kind)}.parquet") as table:
        yield from table.iter_batches()
