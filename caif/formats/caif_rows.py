"""caif's own feedback files: JSON lines that each hold a thumb or a pair.

A thumb is `{"prompt": text or messages, "completion": text, "up": true}`, a pair `{"prompt", "chosen", "rejected"}`.
Both may have `rater`, `objective` and `weight`, and where they come from: `at` (seconds since 1970), `conversation`,
`raw` (the record in the product's export) and `borrowed` (the id of the prompt that an answer was given to, if another). A thumb may also have `reason` and `correction`; a pair `principle` and
`probability`, which says how sure it is that `chosen` is the better answer.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from caif.data import Origin, Preference, Prompt, Rating, Rejected
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

KEPT = {"at", "borrowed", "conversation", "raw"}
BOTH = ("prompt", "rater", "objective", "weight", *sorted(KEPT))
THUMB = (*BOTH, "completion", "up", "reason", "correction")
PAIR = (*BOTH, "chosen", "rejected", "probability", "principle")
LATEST = 1e11
"""A time beyond the year 5000 is not in seconds."""


def caif_rows(objective: str = "helpfulness") -> Reader:
    """Read caif's own thumbs and pairs. `objective` is for rows that name none."""

    def make(line: Line) -> Iterator[Rating | Preference]:
        pair = "chosen" in line.row or "rejected" in line.row
        yield _pair(line, objective) if pair else _thumb(line, objective)

    def read(path: Path) -> Iterator[Rating | Preference | Rejected]:
        return each(lines(path), make)

    return read


def as_line(row: Rating | Preference) -> dict[str, Any]:
    """Return a row as it is read here; what has the value that a missing key stands for is left out."""
    prompt = row.prompt.text if len(row.prompt.messages) == 1 else row.prompt.chat
    if isinstance(row, Rating):
        said = {"completion": row.completion, "up": row.up, "reason": row.reason, "correction": row.correction}
    else:
        said = {
            "chosen": row.chosen,
            "rejected": row.rejected,
            "probability": row.probability,
            "principle": row.principle,
        }
    weight = None if row.weight == 1 else row.weight
    more = {"objective": row.objective, "rater": row.rater, "weight": weight, **row.origin.model_dump(include=KEPT)}
    return {"prompt": prompt, **{key: value for key, value in {**said, **more}.items() if value not in ("", None)}}


def _thumb(line: Line, objective: str) -> Rating:
    row = line.row
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
        correction=text(row, "correction", ""),
        origin=_origin(line),
    )


def _pair(line: Line, objective: str) -> Preference:
    row = line.row
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
        origin=_origin(line),
    )


def _origin(line: Line) -> Origin:
    at = None if line.row.get("at") is None else number(line.row, "at", 0.0, LATEST)
    return Origin(
        raw=text(line.row, "raw", line.where), at=at, conversation=text(line.row, "conversation", ""),
        borrowed=text(line.row, "borrowed", ""),
    )


def _prompt(row: dict[str, Any]) -> Prompt:
    return prompt_of(conversation(required(row, "prompt")))
