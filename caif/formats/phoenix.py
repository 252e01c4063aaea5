"""Phoenix's annotations and spans: `client.spans.get_span_annotations(...)` and `get_spans(...)`, one JSON row a line.

Only annotations of kind HUMAN are read. The labels thumbs-up and thumbs-down mean what they say; for others, or for
scores, the reader has to be told which are up and which are down. The texts are in the span's attributes
(`llm.input_messages` and `llm.output_messages`, else `input.value` and `output.value`), nested or with dots.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from caif.data import Rating, Rejected
from caif.errors import CaifError
from caif.formats.fields import Unusable, because, decoded, each, hashed, origin, prompt_of, rated
from caif.formats.jsonl import Line
from caif.formats.polarity import Marks, polarity
from caif.formats.rows import Records, any_rows, found
from caif.formats.talk import DEEPEST, answered, asked
from caif.hookspecs import Reader

IDS = ("context.span_id", "span_id", "id")


def phoenix(
    spans: Path,
    name: str = "",
    kinds: tuple[str, ...] = ("HUMAN",),
    up: Marks = ("thumbs-up",),
    down: Marks = ("thumbs-down",),
    objective: str = "helpfulness",
    salt: str = "caif",
) -> Reader:
    """Read people's annotations. `name` is the annotation to read, where there are several."""
    marks = polarity(up, down)

    def read(path: Path) -> Iterator[Rating | Rejected]:
        held = Records()
        yield from each(any_rows(spans), partial(_keep, held))
        if not held:
            raise CaifError(f"{spans}: no row has a span id", "is this the file of spans?")

        def make(line: Line) -> Iterator[Rating]:
            row = nested(line.row)
            if name and name not in (row.get("name"), row.get("annotation_name")):
                raise Unusable("annotation of another name")
            if row.get("annotator_kind") not in kinds:
                raise Unusable("not an annotation of people", f"its kind is {row.get('annotator_kind')!r:.40}")
            span = found(held, dig(row, "span_id") or dig(row, "context.span_id"), "span")
            yield Rating(
                prompt=prompt_of(asked(_first(span, "attributes.llm.input_messages", "attributes.input.value"))),
                completion=_answer(span),
                up=marks.thumb(dig(row, "result.label"), dig(row, "result.score")),
                objective=objective,
                rater=hashed("user", row.get("user_id"), salt),
                reason=because("", dig(row, "result.explanation")),
                origin=origin(line, row.get("id"), row.get("created_at"), _session(span, salt)),
            )

        yield from each(any_rows(path), make)

    return read


def _keep(held: Records, line: Line) -> Iterator[Rating]:
    row = nested(line.row)
    if span := next(filter(None, (dig(row, key) for key in IDS)), None):
        held[str(span)] = row
    return iter(())


def nested(row: Mapping[str, Any], depth: int = DEEPEST) -> dict[str, Any]:
    """Return a row with objects in objects where its keys have dots."""
    tree = dict[str, Any]()
    for key, value in row.items():
        *way, last = key.split(".")
        here = tree
        for part in way:
            here = here[part] if isinstance(here.get(part), dict) else here.setdefault(part, {})
            if not isinstance(here, dict):
                raise Unusable("a key is an object and a value at once", key[:80])
        below = nested(value, depth - 1) if isinstance(value, dict) and depth else value
        here[last] = {**here[last], **below} if isinstance(here.get(last), dict) and isinstance(below, dict) else below
    return tree


def dig(row: object, key: str) -> Any:
    """Return what stands at the end of a way through objects, None if the way does not go on."""
    for part in key.split("."):
        row = row.get(part) if isinstance(row, dict) else None
    return row


def _first(span: Mapping[str, Any], messages: str, value: str) -> Any:
    """Return a span's messages if it has them, else its plain value, which may be JSON or text."""
    said = _listed(dig(span, messages))
    if said:
        return said
    plain = dig(span, value)
    if isinstance(plain, str) and plain.lstrip()[:1] in ("{", "["):
        try:
            return decoded(plain, "value")
        except Unusable:
            return plain
    return plain


def _answer(span: Mapping[str, Any]) -> str:
    return rated(answered(_first(span, "attributes.llm.output_messages", "attributes.output.value")))


def _listed(messages: object) -> Any:
    """Return messages as a list, if they stand under the numbers of their places."""
    if isinstance(messages, dict) and all(key.isdecimal() for key in messages):
        messages = [messages[key] for key in sorted(messages, key=int)]
    return [nested(one) if isinstance(one, dict) else one for one in messages] if isinstance(messages, list) else None


def _session(span: Mapping[str, Any], salt: str) -> str:
    return hashed("chat", dig(span, "attributes.session.id"), salt)
