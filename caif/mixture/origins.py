"""Where a row that was made of others comes from: their sources and principles by name, their cost in sum, their last time."""

from math import isnan

import numpy as np
import pyarrow as pa

from caif.mixture.rows import Floats, Links, Rows, floats, named

TOKENS = ("tokens_in", "tokens_out")


def origins(rows: Rows, behind: Links, count: int) -> list[dict[str, object]]:
    """Return the origin of each of `count` rows that were made of `rows`: `behind` links the made ones with those."""
    made, of = behind
    at, price = np.full(count, np.nan), floats(rows.column("origin", "price"))[of]
    np.fmax.at(at, made, floats(rows.column("origin", "at"))[of])
    paid = np.where(
        np.bincount(made, ~np.isnan(price), count) > 0, np.bincount(made, np.nan_to_num(price), count), np.nan
    )
    tokens = [
        np.bincount(made, rows.column("origin", name).to_numpy()[of], count).astype(int).tolist() for name in TOKENS
    ]
    laws, talks = (joined_names(rows.column("origin", name), behind, count) for name in ("law", "conversation"))
    fields = zip(_known(at), talks, laws, *tokens, _known(paid), strict=True)
    return [
        {
            "raw": "", "at": at, "conversation": "" if "+" in talk else talk, "law": law, "order": "",
            "tokens_in": tokens_in, "tokens_out": tokens_out, "price": price,
        }
        for at, talk, law, tokens_in, tokens_out, price in fields
    ]  # fmt: skip


def joined_names(names: pa.ChunkedArray, behind: Links, count: int) -> list[str]:
    """Return for each of `count` rows the different names of what is behind it, in alphabetical order, joined by +."""
    codes, known = named(names)
    alphabet = sorted(known)
    place = np.argsort(np.argsort(np.array(known, dtype=object)))
    several: list[list[str]] = [[] for _ in range(count)]
    for cell in np.unique(behind[0] * len(known) + place[codes[behind[1]]]).tolist():
        several[cell // len(known)].append(alphabet[cell % len(known)])
    return ["+".join(filter(None, some)) for some in several]


def _known(values: Floats) -> list[float | None]:
    return [None if isnan(value) else value for value in values.tolist()]
