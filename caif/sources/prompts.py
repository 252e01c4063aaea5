"""Where prompts come from: lines, tables and published sets of conversations. Every factory gives a `PromptSource`.

A row that is no prompt is a Rejected with file and line; a file without one usable row is an error. The tags say which
principles apply, so tables can name the columns that hold them.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from caif.data import Prompt, Rejected
from caif.errors import CaifError
from caif.formats.fields import Unusable, at_least_one, conversation, each, kind, known_keys, prompt_of, required, text
from caif.formats.hh import prompts as hh_prompts
from caif.formats.jsonl import Line, lines
from caif.formats.oasst import prompts as oasst_prompts
from caif.formats.tables import csv_rows, dataset_rows, parquet_rows
from caif.hookspecs import PromptSource

Columns = str | tuple[str, ...]
Make = Callable[[Line], Iterable[Prompt]]


def from_jsonl(path: Path, column: str = "", tags_column: Columns = (), limit: int | None = None) -> PromptSource:
    """Read `{"prompt": text}` or `{"messages": […]}` with `tags` and `source`; other keys are refused.

    With `column`, read rows of any shape instead: that key holds the prompt, `tags_column` names those of the tags.
    """
    tags = _names(tags_column)
    if tags and not column:
        raise CaifError("tags_column goes with column", "name both, or write tags in the rows")
    make = _from_column(column, tags, path.name) if column else _own_rows(path.name)
    return _source(path, lambda: each(lines(path), make), limit)


def from_csv(path: Path, column: str = "prompt", tags_column: Columns = (), limit: int | None = None) -> PromptSource:
    """Read a column of a CSV file with a header; fields may span lines."""
    tags = _names(tags_column)
    make = _from_column(column, tags, path.name)
    return _source(path, lambda: each(csv_rows(path, (column, *tags)), make), limit)


def from_parquet(
    path: Path, column: str = "prompt", tags_column: Columns = (), limit: int | None = None
) -> PromptSource:
    """Read a column of a Parquet file: texts or lists of messages."""
    tags = _names(tags_column)
    make = _from_column(column, tags, path.name)
    return _source(path, lambda: each(parquet_rows(path, (column, *tags)), make), limit)


def from_dataset(
    path: Path, column: str = "prompt", split: str = "", tags_column: Columns = (), limit: int | None = None
) -> PromptSource:
    """Read a column of a folder that Hugging Face `save_to_disk` wrote; `split` may be left out if there is but one."""
    tags = _names(tags_column)
    make = _from_column(column, tags, path.name)
    return _source(path, lambda: each(dataset_rows(path, (column, *tags), split), make), limit)


def from_hh_rlhf(path: Path, limit: int | None = None) -> PromptSource:
    """Read the conversations of hh-rlhf transcripts, up to the last answer."""
    return _source(path, lambda: hh_prompts(path), limit)


def from_oasst(path: Path, limit: int | None = None) -> PromptSource:
    """Read the first messages of OpenAssistant trees."""
    return _source(path, lambda: oasst_prompts(path), limit)


def _source(path: Path, read: Callable[[], Iterable[Prompt | Rejected]], limit: int | None) -> PromptSource:
    if limit is not None and limit < 1:
        raise CaifError(f"limit must be 1 or more, not {limit}", "leave it out to read all")
    return lambda: at_least_one(_first(read(), limit), path, "prompts")


def _first(rows: Iterable[Prompt | Rejected], limit: int | None) -> Iterator[Prompt | Rejected]:
    taken = 0
    for row in rows:
        yield row
        taken += isinstance(row, Prompt)
        if taken == limit:
            return


def _own_rows(name: str) -> Make:
    def make(line: Line) -> Iterator[Prompt]:
        row = line.row
        known_keys(row, ("prompt", "messages", "tags", "source"))
        if "prompt" in row and "messages" in row:
            raise Unusable("both prompt and messages")
        key = "messages" if "messages" in row else "prompt"
        yield prompt_of(conversation(required(row, key), key), _tags(row, ("tags",)), text(row, "source", name))

    return make


def _from_column(column: str, tags: tuple[str, ...], name: str) -> Make:
    def make(line: Line) -> Iterator[Prompt]:
        yield prompt_of(conversation(required(line.row, column), column), _tags(line.row, tags), name)

    return make


def _tags(row: dict[str, Any], columns: tuple[str, ...]) -> list[str]:
    """Return the tags these columns hold: a text is one tag, a list is several, nothing is none."""
    values = [row.get(column) for column in columns]
    tags = [tag for value in values for tag in (value if isinstance(value, list) else [value]) if tag is not None]
    for tag in tags:
        if not isinstance(tag, str):
            raise Unusable("a tag is not text", f"it is {kind(tag)}")
    return [tag.strip() for tag in tags if tag.strip()]


def _names(columns: Columns) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)
