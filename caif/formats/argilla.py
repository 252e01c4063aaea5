"""Argilla's records as `records.to_json` writes them: fields, and each question's responses by several people.

Only submitted responses count. An export of records does not always say which are: where a response has no `status`, that
of its record decides, and a record still pending is turned away. What a question's values mean is told by the reader's
options: a label or a rating of one answer is a thumb by `up` and `down`; of two or more answers, a ranking, or a label
that names the better one, makes pairs.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from caif.data import Preference, Rating, Rejected
from caif.errors import CaifError
from caif.formats.fields import (
    Unusable,
    conversation,
    each,
    hashed,
    kind,
    origin,
    pair,
    prompt_of,
    required,
    table,
    text,
)
from caif.formats.jsonl import Line
from caif.formats.polarity import Marks, mark, polarity
from caif.formats.rows import json_rows
from caif.hookspecs import Reader


def argilla(
    question: str,
    prompt: str = "prompt",
    answers: tuple[str, ...] = ("response",),
    up: Marks = (),
    down: Marks = (),
    ties: Marks = (),
    objective: str = "helpfulness",
    salt: str = "caif",
) -> Reader:
    """Read the responses to one question about one answer (thumbs) or several (pairs); these are names of fields.

    `ties` are the labels by which people say that no answer is better.
    """
    marks = polarity(up, down) if len(answers) == 1 else None
    if marks is None and (len(answers) < 2 or up or down):
        raise CaifError("up and down are for thumbs on one answer", "of several answers, say which fields they are")
    drawn = frozenset(map(mark, ties)) - {""}

    def make(line: Line) -> Iterator[Rating | Preference | Rejected]:
        fields = table(line.row, "fields")
        asked = prompt_of(conversation(required(fields, prompt), prompt))
        texts = {name: text(fields, name) for name in answers}
        more: dict[str, Any] = {"objective": objective, "origin": origin(line, line.row.get("id"))}

        def judge(response: Line) -> Iterator[Rating | Preference]:
            _submitted(line.row, response.row)
            value, by = response.row.get("value"), more | {"rater": hashed("user", response.row.get("user_id"), salt)}
            if marks:
                yield Rating(prompt=asked, completion=texts[answers[0]], up=marks.thumb(value), **by)
                return
            for better, worse, sure in _orders(answers, value, drawn):
                chosen, rejected = pair(texts[better], texts[worse])
                yield Preference(prompt=asked, chosen=chosen, rejected=rejected, probability=sure, **by)

        yield from each((Line(line.where, one) for one in _responses(line.row, question)), judge)

    def read(path: Path) -> Iterator[Rating | Preference | Rejected]:
        return each(json_rows(path), make)

    return read


def _responses(row: Mapping[str, Any], question: str) -> list[dict[str, Any]]:
    responses = table(row, "responses")
    given = responses.get(question)
    if not given:
        raise Unusable("no responses", f"to {question!r:.60}")
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise Unusable("responses are not a list of answers", f"it is {kind(given)}")
    return given


def _submitted(row: Mapping[str, Any], response: Mapping[str, Any]) -> None:
    if "status" in response:
        if response["status"] != "submitted":
            raise Unusable("not submitted", f"a response is {response['status']!r:.20}")
    elif row.get("status") != "completed":
        raise Unusable("not submitted", "the record is pending, and its response does not say")


def _orders(answers: Sequence[str], value: object, ties: frozenset[str]) -> Iterator[tuple[str, str, float]]:
    """Yield the better and the worse answer, and how sure that is, as far as a ranking or a label says."""
    if isinstance(value, list):
        ranks = _ranks(answers, value)
        for one, other in combinations(sorted(answers, key=ranks.__getitem__), 2):
            yield one, other, 0.5 if ranks[one] == ranks[other] else 1.0
    elif mark(value) in ties:
        yield from ((one, other, 0.5) for one, other in combinations(answers, 2))
    elif isinstance(value, str) and value in answers:
        yield from ((value, other, 1.0) for other in answers if other != value)
    else:
        raise Unusable("label names no answer", repr(value)[:60] if mark(value) else kind(value))


def _ranks(answers: Sequence[str], value: list[Any]) -> dict[str, int]:
    pairs = [(one.get("value"), one.get("rank")) for one in value if isinstance(one, dict)]
    ranks = {name: rank for name, rank in pairs if isinstance(name, str) and type(rank) is int}
    if len(pairs) != len(value) or set(ranks) != set(answers) or len(ranks) != len(value):
        raise Unusable("ranking does not rank the answers")
    return ranks
