"""Label Studio's JSON export: tasks with `data` and each annotator's `annotations`. (JSON-MIN flattens what is needed.)

Read are `pairwise` (left and right are the first and the second object of `to_name`), `choices` and `rating` of one
answer, which are thumbs by `up` and `down`, and text areas named as reason or correction. Cancelled annotations and the
predictions of models are not people's word.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from caif.data import Preference, Rating, Rejected
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
from caif.formats.polarity import UNTOLD, Marks, Polarity, polarity
from caif.formats.rows import json_rows
from caif.hookspecs import Reader


def label_studio(
    prompt: str = "prompt",
    fields: dict[str, str] | None = None,
    left: str = "left",
    right: str = "right",
    up: Marks = (),
    down: Marks = (),
    reason: str = "",
    correction: str = "",
    objective: str = "helpfulness",
    salt: str = "caif",
) -> Reader:
    """Read pairs and thumbs. `prompt` is the key of the question in `data`.

    `fields` gives the key in `data` of an object whose name is another; `left` and `right` are the interface's own choice
    values; `reason` and `correction` name the text areas in which people wrote those.
    """
    marks = polarity(up, down) if up or down else None

    def make(line: Line) -> Iterator[Rating | Preference | Rejected]:
        annotations = line.row.get("annotations")
        if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
            raise Unusable("no annotations", "is this the JSON-MIN export? Export as JSON")
        data = table(line.row, "data")
        asked = prompt_of(conversation(required(data, prompt), prompt))
        said = {**data, **{name: data.get(key) for name, key in (fields or {}).items()}}

        def annotated(annotation: Line) -> Iterator[Rating | Preference | Rejected]:
            results, by = _annotation(annotation, salt)
            written = _written(results)
            more = {"prompt": asked, "objective": objective, **by}

            def judged(result: Line) -> Iterator[Rating | Preference]:
                if result.row.get("type") == "pairwise":
                    yield _pair(said, result.row, (left, right), more)
                elif result.row.get("type") in ("choices", "rating"):
                    why, better = written.get(reason, ""), written.get(correction, "")
                    yield _thumb(said, result.row, marks, more | {"reason": why, "correction": better})
                elif result.row.get("type") != "textarea":
                    raise Unusable("not pairwise, choices or rating", f"{result.row.get('type')!r:.40}")

            yield from each((Line(line.where, result) for result in results), judged)

        yield from each((Line(line.where, one) for one in annotations), annotated)

    def read(path: Path) -> Iterator[Rating | Preference | Rejected]:
        return each(json_rows(path), make)

    return read


def _annotation(line: Line, salt: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the results of an annotation, and whose it is and when it was made."""
    annotation = line.row
    if annotation.get("was_cancelled"):
        raise Unusable("annotation was cancelled")
    results = annotation.get("result")
    if not isinstance(results, list) or not results or not all(isinstance(result, dict) for result in results):
        raise Unusable("annotation has no result")
    by = annotation.get("completed_by")
    by = by.get("id") if isinstance(by, dict) else by
    at = annotation.get("updated_at", annotation.get("created_at"))
    return results, {"rater": hashed("user", by, salt), "origin": origin(line, annotation.get("id"), at)}


def _written(results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return what was written into each text area."""
    written = dict[str, str]()
    for result in results:
        value = result.get("value")
        texts = value.get("text") if result.get("type") == "textarea" and isinstance(value, dict) else None
        texts = [texts] if isinstance(texts, str) else texts
        if isinstance(texts, list) and all(isinstance(one, str) for one in texts):
            written[str(result.get("from_name"))] = "\n".join(texts)
    return written


def _pair(
    said: Mapping[str, Any], result: Mapping[str, Any], sides: tuple[str, str], more: Mapping[str, Any]
) -> Preference:
    names = _names(result)
    if len(names) != 2:
        raise Unusable("pairwise is not about two objects", f"it is about {len(names)}")
    selected = table(result, "value").get("selected")
    if selected not in sides:
        raise Unusable("selected is neither left nor right", repr(selected)[:40] if isinstance(selected, str) else "")
    left, right = (text(said, name) for name in names)
    chosen, rejected = pair(*((left, right) if selected == sides[0] else (right, left)))
    return Preference(chosen=chosen, rejected=rejected, probability=1.0, **more)


def _thumb(
    said: Mapping[str, Any], result: Mapping[str, Any], marks: Polarity | None, more: Mapping[str, Any]
) -> Rating:
    if marks is None:
        raise Unusable("ambiguous polarity", UNTOLD)
    names, value = _names(result), table(result, "value")
    if len(names) != 1:
        raise Unusable("not about one answer", f"it is about {len(names)}")
    given = value.get("choices") if result["type"] == "choices" else value.get("rating")
    if isinstance(given, list):
        if len(given) != 1:
            raise Unusable("not one choice", f"{len(given)} of them")
        given = given[0]
    return Rating(completion=text(said, names[0]), up=marks.thumb(given), **more)


def _names(result: Mapping[str, Any]) -> list[str]:
    """Return the objects that a result is about, in their order."""
    names = result.get("to_name")
    names = names.split(",") if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Unusable("to_name names no object", f"it is {kind(names)}")
    return [name.strip() for name in names]
