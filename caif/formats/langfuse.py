"""Langfuse's scores and traces: `GET /api/public/v2/scores` and `/api/public/traces`, each with `| jq -c '.data[]'`.

A BOOLEAN score of 1 is up and of 0 down; a NUMERIC or CATEGORICAL one says nothing until the reader is told which values
are up and which are down. A CORRECTION is the answer that the person wanted instead. Scores of evaluators (source EVAL)
are turned away. A score on an observation is about that observation's input and output, if the file holds it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from caif.data import Rating, Rejected
from caif.formats.fields import Unusable, because, each, hashed, origin, prompt_of, rated
from caif.formats.jsonl import Line
from caif.formats.polarity import UNTOLD, Marks, Polarity, polarity
from caif.formats.rows import Records, any_rows, by_id, found, json_rows
from caif.formats.talk import answered, asked
from caif.hookspecs import Reader

BOOLEAN = polarity(up=(1, True), down=(0, False))


def langfuse(
    traces: Path,
    name: str = "",
    sources: tuple[str, ...] = ("API", "ANNOTATION"),
    up: Marks = (),
    down: Marks = (),
    objective: str = "helpfulness",
    salt: str = "caif",
) -> Reader:
    """Read the scores of people. `name` is the score to read, where there are several.

    `traces` is the file of traces, with their `observations` in them or as rows of their own beside them.
    """
    marks = polarity(up, down) if up or down else None

    def read(path: Path) -> Iterator[Rating | Rejected]:
        held, turned_away = by_id(json_rows(traces), traces, within="observations")
        yield from turned_away

        def make(line: Line) -> Iterator[Rating]:
            if name and line.row.get("name") != name:
                raise Unusable("score of another name")
            if line.row.get("source") not in sources:
                raise Unusable("not a score of people", f"its source is {line.row.get('source')!r:.40}")
            yield _rating(line, held, marks, objective=objective, salt=salt)

        yield from each(any_rows(path), make)

    return read


def _rating(line: Line, held: Records, marks: Polarity | None, *, objective: str, salt: str) -> Rating:
    row = line.row
    trace, about = _subject(row, held)
    value = row.get("stringValue") if row.get("dataType") in ("CATEGORICAL", "CORRECTION") else None
    value = row.get("value") if value is None else value
    correction = _correction(row, value)
    return Rating(
        prompt=prompt_of(asked(about.get("input"))),
        completion=rated(answered(about.get("output"))),
        up=False if correction else _up(row.get("dataType"), value, marks),
        objective=objective,
        rater=hashed("user", row.get("authorUserId") or trace.get("userId"), salt),
        reason=because("", row.get("comment")),
        correction=correction,
        origin=origin(line, row.get("id"), row.get("timestamp"), hashed("chat", trace.get("sessionId"), salt)),
    )


def _up(data_type: object, value: object, marks: Polarity | None) -> bool:
    if data_type == "TEXT":
        raise Unusable("not a rating", "a score of type TEXT")
    if marks is None and data_type != "BOOLEAN":
        raise Unusable("ambiguous polarity", f"a score of type {data_type!r:.20}: {UNTOLD}")
    return (marks or BOOLEAN).thumb(value)


def _correction(row: Mapping[str, Any], value: object) -> str:
    if row.get("dataType") != "CORRECTION":
        return ""
    if not isinstance(value, str) or not value.strip():
        raise Unusable("correction is empty")
    return value


def _subject(row: Mapping[str, Any], held: Records) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the trace that a score belongs to, and that or the observation that it is about."""
    subject = row.get("subject")
    if isinstance(subject, dict):
        if subject.get("kind") not in ("trace", "observation"):
            raise Unusable("not about an answer", f"it is about the {subject.get('kind')!r:.20}")
        row = {"traceId": subject.get("traceId"), f"{subject['kind']}Id": subject.get("id")}
    if row.get("observationId"):
        return held.get(str(row.get("traceId")), {}), found(held, row["observationId"], "observation")
    if not row.get("traceId"):
        raise Unusable("not about an answer", "it names no trace")
    trace = found(held, row["traceId"], "trace")
    return trace, trace
