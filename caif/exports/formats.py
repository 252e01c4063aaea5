"""What a format is: how one training tool takes a label, which files it wants beside, and what it cannot hold."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from caif.exports.rows import Pair, Thumb


def _nothing(files: Iterable[str]) -> dict[str, str]:
    del files
    return {}


class Format(NamedTuple):
    """One training tool's form. `pair` and `thumb` make a row of it or raise `Unfit`; without `thumb` it takes no thumbs.

    Rows are JSON lines unless there are Parquet `schemas` for `preference` and `unpaired`. `beside` gives the other files
    that the tool wants, from the names of those written. A `soft` tool reads probabilities and weights; for the others
    ties and rows of weight 0 are left out. `load` and `lost` are for the card: how the files are loaded, each line under the
    beginning of the name of the file that it is about, and what the tool does not read.
    """

    name: str
    pair: Callable[[Pair], dict[str, Any]]
    load: tuple[tuple[str, str], ...]
    lost: str
    thumb: Callable[[Thumb], dict[str, Any]] | None = None
    schemas: Mapping[str, pa.Schema] | None = None
    beside: Callable[[Iterable[str]], dict[str, str]] = _nothing
    soft: bool = False

    @property
    def suffix(self) -> str:
        """What its files end in."""
        return "parquet" if self.schemas else "jsonl"

    def loading(self, files: Iterable[str]) -> str:
        """Return how these files are loaded; nothing is said of files that are not there."""
        there = tuple(files)
        return "\n".join(line for about, line in self.load if any(name.startswith(about) for name in there))


def as_yaml(value: object) -> str:
    """Return a value as YAML, keys as they come."""
    import yaml

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
