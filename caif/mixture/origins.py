"""Where a row that was made of others comes from: their sources and principles by name, their cost in sum, their last time."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from caif.mixture.rows import Links, Rows, floats, named


def origins(rows: Rows, behind: Links, count: int) -> pa.StructArray:
    """Return the origin of each of `count` rows that were made of `rows`: `behind` links the made ones with those."""
    made, of = behind
    at, price = np.full(count, np.nan), floats(rows.column("origin", "price"))[of]
    np.fmax.at(at, made, floats(rows.column("origin", "at"))[of])
    paid = np.where(
        np.bincount(made, ~np.isnan(price), count) > 0, np.bincount(made, np.nan_to_num(price), count), np.nan
    )
    law, talk, lender = (
        joined_names(rows.column("origin", name), behind, count) for name in ("law", "conversation", "borrowed")
    )
    known = {
        "at": pa.array(at, from_pandas=True), "price": pa.array(paid, from_pandas=True), "law": law,
        "conversation": pc.if_else(pc.match_substring(talk, "+"), "", talk), "borrowed": lender,
    }  # fmt: skip
    for name in ("tokens_in", "tokens_out"):
        known[name] = pa.array(np.bincount(made, rows.column("origin", name).to_numpy()[of], count).astype(np.int64))
    kind = rows.table.schema.field("origin").type
    nothing = pa.repeat(pa.scalar("", pa.large_string()), count)
    return pa.StructArray.from_arrays(
        [known.get(field.name, nothing).cast(field.type) for field in kind], fields=list(kind)
    )


def joined_names(names: pa.ChunkedArray, behind: Links, count: int) -> pa.Array:
    """Return for each of `count` rows the different names of what is behind it, in alphabetical order, joined by +."""
    codes, known = named(names)
    alphabet = np.array([*sorted(known), ""], dtype=object)
    place = np.argsort(np.argsort(np.array(known, dtype=object)))
    if not known:
        return pa.repeat(pa.scalar("", pa.large_string()), count)
    cells = np.unique(behind[0] * len(known) + place[codes[behind[1]]])
    cells = cells[alphabet[cells % len(known)] != ""]
    row, name = np.divmod(cells, len(known))
    times = np.bincount(row, minlength=count)
    found = np.full(count, "", dtype=object)
    found[row] = alphabet[name]
    start = np.cumsum(times) - times
    for n in np.flatnonzero(times > 1).tolist():
        found[n] = "+".join(alphabet[name[start[n] : start[n] + times[n]]])
    return pa.array(found, pa.large_string())
