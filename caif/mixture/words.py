"""Texts as hashed words and runs of words, all rows of a batch at once: what near-duplicates and overlaps are found by.

Words are compared without case and punctuation. In scripts that write no spaces every character is a word.
"""

import unicodedata
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from caif.mixture.rows import Bools, Hashes, Ints, spans

UNSPACED = r"(\p{Han}|\p{Hiragana}|\p{Katakana}|\p{Thai}|\p{Lao}|\p{Khmer}|\p{Myanmar})"
BASE = np.uint64(0x9E3779B97F4A7C15)
"""Odd, so that it has an inverse among numbers of 64 bits."""
INVERSE = np.uint64(pow(int(BASE), -1, 1 << 64))
MIX = np.uint64(0xBF58476D1CE4E5B9)


class Runs(NamedTuple):
    """Hashes of all rows one after the other; those of row n stand from `start[n]` to `start[n + 1]`."""

    hashes: Hashes
    start: Ints

    @property
    def counts(self) -> Ints:
        """How many each row has."""
        return np.diff(self.start)


def words(texts: pa.Array) -> Runs:
    """Return the words of each text."""
    if pc.any(pc.match_substring_regex(texts, UNSPACED)).as_py():
        composed = pc.utf8_normalize(texts, "NFKC")  # else a voicing mark of its own would be a word
        texts = pc.replace_substring_regex(composed, UNSPACED, r" \1 ")
    split = pc.utf8_split_whitespace(texts)
    encoded = split.flatten().dictionary_encode()
    known = np.array([_hash(word) for word in encoded.dictionary.to_pylist()], dtype=np.uint64)
    found = known[encoded.indices.to_numpy(zero_copy_only=False)]
    real = found != 0
    before = np.concatenate([[0], np.cumsum(real)])
    return Runs(found[real], before[split.offsets.to_numpy()].astype(np.int64))


def runs(single: Runs, size: int) -> Runs:
    """Return the runs of so many words of each row; a row that has fewer has one run, of all it has.

    A run's hash is a polynomial in its words' hashes, taken for all runs at once from one cumulative sum: multiplied by
    powers of the base's inverse the words can be summed up from the first one on, and each difference multiplied back.
    """
    counts = single.counts
    many = np.where(counts == 0, 0, np.maximum(counts - size + 1, 1))
    start = np.concatenate([[0], np.cumsum(many)]).astype(np.int64)
    row, nth = spans(many)
    first = single.start[row] + nth
    last = np.minimum(first + size, single.start[row + 1])
    powers = np.cumprod(np.full(len(single.hashes) + 1, INVERSE)) * BASE  # base to the power of 0, -1, -2, …
    total = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(single.hashes * powers[:-1], dtype=np.uint64)])
    raised = np.cumprod(np.full(len(single.hashes) + 1, BASE)) * INVERSE
    hashes = (total[last] - total[first]) * raised[first]
    return Runs((hashes ^ (hashes >> np.uint64(31))) * MIX, start)


def in_rows(flat: Runs, start: Ints) -> Runs:
    """Return the words of rows that hold several texts each; row n has the texts from `start[n]` to `start[n + 1]`."""
    return Runs(flat.hashes, flat.start[start])


def together(one: Runs, other: Runs) -> Runs:
    """Return what either has, row by row."""
    rows = np.concatenate([np.repeat(np.arange(len(part.counts)), part.counts) for part in (one, other)])
    hashes = np.concatenate([one.hashes, other.hashes])[np.argsort(rows, kind="stable")]
    return Runs(hashes, one.start + other.start)


def any_of(found: Bools, start: Ints) -> Bools:
    """Return for each row whether any of its runs was found."""
    before = np.concatenate([[0], np.cumsum(found)])
    return np.asarray(before[start[1:]] > before[start[:-1]])


@lru_cache(1 << 18)
def _hash(word: str) -> int:
    """Return 64 bits for a word; 0 for what is punctuation only."""
    folded = unicodedata.normalize("NFKC", word).casefold()
    plain = "".join(c for c in folded if unicodedata.category(c)[0] in "LMNS")
    return int.from_bytes(blake2b(plain.encode(), digest_size=8).digest()) if plain else 0
