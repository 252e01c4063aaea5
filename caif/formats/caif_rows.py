"""caif's own feedback files: JSON lines that each hold a thumb or a pair.

A thumb is `{"prompt": text or messages, "completion": text, "up": true}`, a pair `{"prompt", "chosen", "rejected"}`.
Both may have `rater`, `objective` and `weight`; a thumb also `reason`; a pair also `principle` and `probability`, which
says how sure it is that `chosen` is the better answer.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from caif.data import Preference, Prompt, Rating, Rejected
from caif.formats.fields import (
    MAX_WEIGHT,
    Unusable,
    conversation,
    each,
    kind,
    known_keys,
    number,
    prompt_of,
    required,
    text,
)
from caif.formats.jsonl import Line, lines
from caif.hookspecs import Reader

THUMB = ("prompt", "completion", "up", "rater", "objective", "reason", "weight")
PAIR = ("prompt", "chosen", "rejected", "probability", "rater", "objective", "principle", "weight")


def caif_rows(objective: str = "helpfulness") -> Reader:
    """Read caif's own thumbs and pairs. `objective` is for rows that name none."""

    def make(line: Line) -> Iterator[Rating | Preference]:
        pair = "chosen" in line.row or "rejected" in line.row
        yield _pair(line.row, objective) if pair else _thumb(line.row, objective)

    def read(path: Path) -> Iterator[Rating | Preference | Rejected]:
        return each(lines(path), make)

    return read


def _thumb(row: dict[str, Any], objective: str) -> Rating:
    known_keys(row, THUMB)
    if not isinstance(up := required(row, "up"), bool):
        shown = repr(up)[:40] if isinstance(up, (int, float, str)) else kind(up)
        raise Unusable("ambiguous polarity", f"up must be true or false, not {shown}")
    return Rating(
        prompt=_prompt(row),
        completion=text(row, "completion"),
        up=up,
        weight=number(row, "weight", 1.0, MAX_WEIGHT),
        objective=text(row, "objective", objective),
        rater=text(row, "rater", ""),
        reason=text(row, "reason", ""),
    )


def _pair(row: dict[str, Any], objective: str) -> Preference:
    known_keys(row, PAIR)
    chosen, rejected = text(row, "chosen"), text(row, "rejected")
    if chosen == rejected:
        raise Unusable("identical answers")
    return Preference(
        prompt=_prompt(row),
        chosen=chosen,
        rejected=rejected,
        probability=number(row, "probability", 1.0, 1.0),
        weight=number(row, "weight", 1.0, MAX_WEIGHT),
        objective=text(row, "objective", objective),
        principle=text(row, "principle", ""),
        rater=text(row, "rater", ""),
    )


def _prompt(row: dict[str, Any]) -> Prompt:
    return prompt_of(conversation(required(row, "prompt")))
