"""What is scored: a prompt with its answers, from JSON lines or Parquet in the shape of RewardBench 1 or 2, or plain rows.

RewardBench 1 has one chosen and one rejected text a row, RewardBench 2 lists of them, the right ones first. A row with a
`completion` alone can be scored but not judged right or wrong.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from caif.data import Prompt, Rejected
from caif.formats.fields import Unusable, at_least_one, conversation, each, prompt_of, required
from caif.formats.jsonl import Line, lines
from caif.formats.tables import parquet_rows

ONE, MANY = 1, 2
"""The version of RewardBench whose rules judge a row."""
COLUMNS = ("id", "prompt", "chosen", "rejected", "completion", "subset", "num_correct")


class Case(NamedTuple):
    """A prompt and its answers, the first `right` of them right; `version` 0 is a plain row that nothing judges."""

    id: str
    prompt: Prompt
    answers: tuple[str, ...]
    right: int = 0
    subset: str = ""
    version: int = 0


def read_cases(path: Path) -> Iterator[Case | Rejected]:
    """Yield a file's cases and what cannot be used, with the reason; a file without one usable row is an error."""
    return at_least_one(each(_rows(path), _case), path, "cases")


def _rows(path: Path) -> Iterator[Line | Rejected]:
    if path.suffix != ".parquet" or not path.is_file():  # that there is no such file is for `lines` to say
        return lines(path)
    import pyarrow.parquet as pq

    return parquet_rows(path, [name for name in COLUMNS if name in pq.read_schema(path).names])


def _case(line: Line) -> Iterator[Case]:
    row = line.row
    prompt, name, subset = prompt_of(conversation(required(row, "prompt"))), row.get("id"), str(row.get("subset") or "")
    called = line.where if name is None else str(name)
    if row.get("completion") is not None:
        yield Case(called, prompt, _texts(row, "completion"), subset=subset)
        return
    chosen, rejected = _texts(row, "chosen"), _texts(row, "rejected")
    if isinstance(row["chosen"], str):
        yield Case(called, prompt, chosen + rejected, 1, subset, ONE)
        return
    right = row.get("num_correct") or len(chosen)
    if right != len(chosen) or not rejected:
        raise Unusable("num_correct is not the number of chosen answers" if rejected else "no rejected answer")
    yield Case(called, prompt, chosen + rejected, right, subset, MANY)


def _texts(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return the text or the texts under a key; an empty answer is an answer."""
    value = required(row, key)
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not texts or not all(isinstance(text, str) for text in texts):
        raise Unusable(f"{key} is neither a text nor a list of texts")
    return tuple(texts)
