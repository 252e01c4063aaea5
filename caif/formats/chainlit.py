"""Chainlit's feedback and the steps it is about: `COPY (SELECT row_to_json(f) FROM feedbacks f) TO 'feedback.jsonl'`.

Thumbs down is 0, not -1. A row is `{id, forId, threadId, value, comment}` of the community data layers or `{id, stepId,
value, comment}` of the official one; the texts are in the table of steps, exported the same way. The prompt is what was
said in the thread before. A thumb on a whole run is about all that was answered in it. Who gave a thumb is the user of
its thread, if the file of steps holds rows of threads too.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from caif.data import Message, Rating, Rejected
from caif.formats.fields import Unusable, because, each, hashed, origin, prompt_of, rated, required, seconds
from caif.formats.jsonl import Line
from caif.formats.polarity import polarity
from caif.formats.rows import Records, any_rows, by_id, found
from caif.formats.talk import said
from caif.hookspecs import Reader

ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "user_message": "user", "assistant_message": "assistant", "system_message": "system",
}  # fmt: skip
VALUES = polarity(up=(1,), down=(0,))


class Steps(NamedTuple):
    """All steps by their id, and those of a thread in the order in which they were made."""

    by_id: Records
    threads: Mapping[str, Sequence[Mapping[str, Any]]]


def chainlit(steps: Path, objective: str = "helpfulness", salt: str = "caif") -> Reader:
    """Read the thumbs. `steps` is the file of steps, or of whole threads with their `steps` in them.

    Where steps carry their `feedback` themselves, that file is both.
    """

    def read(path: Path) -> Iterator[Rating | Rejected]:
        held, turned_away = by_id(any_rows(steps), steps, within="steps")
        yield from turned_away
        known = Steps(held, _threads(held))

        def make(line: Line) -> Iterator[Rating | Rejected]:
            yield from each(_feedback(line), lambda one: iter([_rating(one, known, objective, salt)]))

        yield from each(any_rows(path), make)

    return read


def _feedback(line: Line) -> list[Line]:
    """Return the feedback that a row is, or that the steps of a thread carry themselves."""
    if not isinstance(steps := line.row.get("steps"), list):
        return [line]
    rated_steps = [step for step in steps if isinstance(step, dict) and isinstance(step.get("feedback"), dict)]
    return [Line(line.where, {"forId": step.get("id"), **step["feedback"]}) for step in rated_steps]


def _rating(line: Line, steps: Steps, objective: str, salt: str) -> Rating:
    row = line.row
    up = VALUES.thumb(required(row, "value"))
    answers = _answers(found(steps.by_id, row.get("forId") or row.get("stepId"), "step"), steps)
    thread = answers[0].get("threadId")
    talk, owner = steps.threads[str(thread)], steps.by_id.get(str(thread), {})
    before = talk[: next(n for n, step in enumerate(talk) if step is answers[0])]
    return Rating(
        prompt=prompt_of(tuple(filter(None, map(_message, before)))),
        completion=rated("\n\n".join(filter(None, (said(step.get("output")) for step in answers)))),
        up=up,
        objective=objective,
        rater=hashed("user", owner.get("userId") or owner.get("userIdentifier"), salt),
        reason=because("", row.get("comment")),
        origin=origin(line, row.get("id"), row.get("createdAt"), hashed("chat", thread, salt)),
    )


def _answers(step: dict[str, Any], steps: Steps) -> Sequence[Mapping[str, Any]]:
    """Return the steps that are the rated answer: this one, or what was said in it if it is a run."""
    if step.get("type") == "assistant_message":
        return [step]
    talk = steps.threads.get(str(step.get("threadId")), ())
    below = [one for one in talk if one.get("type") == "assistant_message" and one.get("parentId") == step.get("id")]
    if not below or str(step.get("type")) in ROLES:
        raise Unusable("rated step is not an answer", f"{step.get('type')!r:.40}")
    return below


def _message(step: Mapping[str, Any]) -> Message | None:
    """Return what a step says in the conversation; runs, tools and model calls are no part of it."""
    role, text = ROLES.get(str(step.get("type"))), said(step.get("output"))
    return Message(role=role, content=text) if role and text.strip() else None


def _threads(held: Records) -> dict[str, list[dict[str, Any]]]:
    threads = defaultdict[str, list[dict[str, Any]]](list)
    for step in held.values():
        if "type" in step:  # a thread itself has none
            threads[str(step.get("threadId"))].append(step)
    for talk in threads.values():
        talk.sort(key=lambda step: seconds(step.get("createdAt")) or 0.0)  # stable: without times, as in the file
    return threads
