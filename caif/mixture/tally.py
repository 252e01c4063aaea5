"""Nothing leaves unseen: what came in, what became of it and why, by source; and every row that left, with its reason."""

from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from caif.data import Rejected
from caif.mixture.ids import ids
from caif.mixture.rows import Bools, Links, Rows, named, replaced
from caif.tables import schema_of

EVIDENCE = pa.schema([("row", pa.string()), ("came_from", pa.string()), ("how", pa.string())])


class Tally:
    """The account of one mixture. `count` is told every reason, over all sources."""

    def __init__(self, count: Callable[[str, int], None]) -> None:
        self._count = count
        self.sources: dict[str, Counter[str]] = defaultdict(Counter)
        self._left: list[pa.Table] = []
        self._evidence: list[pa.Table] = []

    def note(self, rows: Rows, which: Bools, what: str) -> None:
        """Count some rows by their source."""
        codes, names = named(rows.column("source"))
        for name, times in zip(names, np.bincount(codes[which], minlength=len(names)).tolist(), strict=True):
            if times:
                self.sources[name][what] += times

    def told(self, rows: Rows, which: Bools, what: str) -> None:
        """Count some rows by their source and in all."""
        if which.any():
            self.note(rows, which, what)
            self._count(what, int(which.sum()))

    def leave(self, rows: Rows, gone: Bools, reason: str, detail: pa.ChunkedArray | str = "") -> Rows:
        """Return the rows without those that are gone; they are counted and listed. `detail` says more of every row."""
        gone = gone & rows.kept
        self.told(rows, gone, reason)
        places = pa.array(np.flatnonzero(gone))
        where = rows.table["id"].take(places).to_pylist()
        details = [detail] * len(where) if isinstance(detail, str) else detail.take(places).to_pylist()
        self._left.append(_rejected(where, reason, details))
        return rows.without(gone)

    def came_from(self, made: Rows, of: Rows, links: Links, how: str) -> None:
        """Keep which rows of `of` each made one comes from, and how."""
        row, source = made.table["id"].take(pa.array(links[0])), of.table["id"].take(pa.array(links[1]))
        self._evidence.append(_evidence(row, source, how))

    def weighed(self, now: pa.Array, before: pa.Array) -> None:
        """Keep that rows have new ids, since their weights are others."""
        self._evidence.append(_evidence(now, before, "weighed"))

    @property
    def left(self) -> pa.Table:
        """All rows that left, as `Rejected`."""
        return pa.concat_tables([schema_of(Rejected).empty_table(), *self._left])

    @property
    def evidence(self) -> pa.Table:
        """Rows by id, and the rows they were made of: `row`, `came_from`, `how`."""
        return pa.concat_tables([EVIDENCE.empty_table(), *self._evidence])


def _evidence(row: pa.Array | pa.ChunkedArray, came_from: pa.Array | pa.ChunkedArray, how: str) -> pa.Table:
    columns = [row.cast(pa.string()), came_from.cast(pa.string()), pa.repeat(how, len(row))]
    return pa.table(columns, schema=EVIDENCE)


def _rejected(where: list[str], reason: str, detail: list[str]) -> pa.Table:
    columns = {"id": [""] * len(where), "where": where, "reason": [reason] * len(where), "detail": detail}
    table = pa.Table.from_pydict(columns, schema_of(Rejected))
    return replaced(table, id=ids(Rejected, table))
