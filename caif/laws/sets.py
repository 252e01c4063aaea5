"""From another project's JSON set of principles to a constitution and back.

Projects differ in how they call things and where the list stands; what they have in common is a list of texts, or of
tables with a criticism and a revision. Each principle's `text` is its item as JSON, so nothing of it is lost: on the
way back the item is written again, with the texts that were changed since.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from caif.constitution import Constitution, Origin, Principle
from caif.errors import CaifError
from caif.laws.documents import ASKED, BESIDE, COMPARE, CRITIQUE, INSTRUCT, REVISION, slug, unique

NAMES = {
    "id": ("id", "name", "title", "dimension", "label"),
    "critique": ("critique_request", "critique", "critic", "prompt"),
    "revision": ("revision_request", "revision", "edit_request"),
    "compare": ("compare", "comparison", "question"),
    "rule": ("principle", "statement", "rule", "text", "definition", "description"),
}
"""What a field of ours is called elsewhere. `prompt` and `edit_request` are the names of Bai et al. 2022's own set."""
LESS_TO_SAY = "A critic of answers was asked this:\n\n{critique}\n\nWhich answer gives the critic less to point out?"
MEND = "Rewrite the answer so that a critic who is asked this finds nothing to point out:\n\n{critique}"
FIND = "Point out what in the assistant's last answer calls for this change:\n\n{revision}"


class Place(NamedTuple):
    """Where a document holds its principles: under which keys, and whether by name."""

    at: tuple[str, ...]
    named: bool
    items: Sequence[tuple[str, Any]]
    """The principles' names ("" in a list) and what is said of each."""


def from_set(document: object, name: str, objective: str) -> Constitution:
    """Return the constitution that a JSON document holds. Raises CaifError if it holds no list of principles."""
    place = _find(document, ())
    if place is None:
        known = ", ".join(dict.fromkeys(n for names in NAMES.values() for n in names))
        raise CaifError("holds no list of principles", f"its items are texts, or tables with some of: {known}")
    frame = {"at": place.at, "named": place.named, "around": _emptied(document, place.at)}
    wanted = [_slug(key or _said(item, "id"), n) for n, (key, item) in enumerate(place.items)]
    principles = [
        _principle(id_, key, item, objective, place)
        for id_, (key, item) in zip(unique(wanted), place.items, strict=True)
    ]
    about = f"The answer keeps to the principles of {name}."
    origin = Origin(kind="json", frame=_text(frame))
    return Constitution(name=name, origin=origin, objectives={objective: about}, principles=tuple(principles))


def to_set(law: Constitution) -> object:
    """Return the document that an imported constitution comes from, with what was changed, added or taken out since."""
    if law.origin is None:
        raise ValueError("to_set needs a constitution that was imported")
    frame = _frame(law)
    pairs = [_item(principle, law, named=frame["named"]) for principle in law.principles]
    filled: object = dict(pairs) if frame["named"] else [item for _, item in pairs]
    return _put(frame["around"], frame["at"], filled)


def changed_elsewhere(law: Constitution) -> list[str]:
    """Return the ids of principles with a change for which the set that they come from has no field."""
    named = _frame(law)["named"]
    found = []
    for p in law.principles:
        if p.text:
            key, item = _parsed(p, named=named)
            was = _principle(p.id, key, item, p.objective, Place((), named, ()))
            fields = [*(field for field in ASKED if not _key(item, field)), *BESIDE]
            found += [p.id] if any(getattr(p, field) != getattr(was, field) for field in fields) else []
    return found


def _find(value: object, at: tuple[str, ...]) -> Place | None:
    """Return the first list of principles, looking in what is near before what is deep."""
    if isinstance(value, list) and value and all(map(_is_principle, value)):
        return Place(at, named=False, items=[("", item) for item in value])
    if isinstance(value, dict):
        if len(value) > 1 and all(isinstance(item, dict) and _is_principle(item) for item in value.values()):
            return Place(at, named=True, items=list(value.items()))
        return next(filter(None, (_find(item, (*at, key)) for key, item in value.items())), None)
    return None


def _is_principle(item: object) -> bool:
    if isinstance(item, str):
        return bool(item.strip())
    return isinstance(item, Mapping) and any(_said(item, field) for field in (*ASKED, "rule"))


def _principle(id_: str, key: str, item: Any, objective: str, place: Place) -> Principle:
    critique, revision, compare, rule = (_said(item, field) for field in (*ASKED, "rule"))
    asks = critique or (FIND.format(revision=revision) if revision else CRITIQUE.format(rule=rule))
    return Principle(
        id=id_,
        objective=objective,
        text=_text({key: item} if place.named else item),
        critique=asks,
        revision=revision or (MEND.format(critique=critique) if critique else REVISION.format(rule=rule)),
        compare=compare or (COMPARE.format(rule=rule) if rule and not critique else LESS_TO_SAY.format(critique=asks)),
        instruct=INSTRUCT.format(rule=rule) if rule else "",
    )


def _item(principle: Principle, law: Constitution, *, named: bool) -> tuple[str, Any]:
    """Return a principle as its document would hold it, one that was added since in the manner of the first."""
    if not principle.text:
        first = next((p for p in law.principles if p.text), None)
        like = _parsed(first, named=named)[1] if first else {"critique": "", "revision": ""}
        if isinstance(like, str):
            return principle.id, principle.critique
        given = {"id": principle.id} | {field: getattr(principle, field) for field in ASKED}
        return principle.id, {key: text for field, text in given.items() if (key := _key(like, field))}
    key, item = _parsed(principle, named=named)
    if not isinstance(item, dict):
        return key, item
    changed = {name: getattr(principle, field) for field in ASKED if (name := _key(item, field))}
    return key, item | {name: text for name, text in changed.items() if item[name].strip() != text}


def _parsed(principle: Principle, *, named: bool) -> tuple[str, Any]:
    """Return what the set calls an imported principle and says of it. Raises CaifError if its text is no item of a set."""
    try:
        value = json.loads(principle.text)
        return next(iter(value.items())) if named else ("", value)
    except (json.JSONDecodeError, AttributeError, StopIteration):
        what = f"principle {principle.id}: its text is no item of the JSON set that the constitution was imported from"
        raise CaifError(what, "leave text as import wrote it, and leave it out of a principle of your own") from None


def _frame(law: Constitution) -> dict[str, Any]:
    """Return what stood around the principles. Raises CaifError if that is not what import wrote."""
    try:
        frame: dict[str, Any] = json.loads(law.origin.frame) if law.origin else {}
        return {name: frame[name] for name in ("at", "named", "around")}
    except (json.JSONDecodeError, KeyError, TypeError):
        what = f"{law.name}: origin.frame is not what import wrote"
        raise CaifError(what, "copy it from the imported file, or take [origin] out and export as --to json") from None


def _key(item: Any, field: str) -> str:
    """Return how an item calls a field of ours, or ""."""
    if not isinstance(item, Mapping):
        return ""
    return next((name for name in NAMES[field] if isinstance(item.get(name), str) and item[name].strip()), "")


def _said(item: Any, field: str) -> str:
    if isinstance(item, str):
        return item.strip() if field == "rule" else ""
    return str(item[key]).strip() if (key := _key(item, field)) else ""


def _emptied(value: Any, at: Sequence[str]) -> Any:
    return _put(value, at, None)


def _put(value: Any, at: Sequence[str], new: object) -> Any:
    """Return a copy of a document with another value at a place."""
    return {k: _put(v, at[1:], new) if k == at[0] else v for k, v in value.items()} if at else new


def _slug(text: str, n: int) -> str:
    return slug(text, f"principle-{n + 1}") if text else f"principle-{n + 1}"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
