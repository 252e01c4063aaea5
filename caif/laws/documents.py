"""From a document to a constitution and back: a heading is a principle, and its text is kept to the last character.

In a text without headings it is an item of a list, or a paragraph. What models are asked is built around the section's
own prose, as much of it as a small judge bears; the rest stays in `text`. A heading with no prose of its own gets weight
0: it asks for nothing, but the document needs it. Worked examples become cases.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from caif.constitution import Case, Constitution, Origin, Principle
from caif.errors import CaifError
from caif.laws.examples import worked
from caif.laws.rules import rules
from caif.laws.sections import Section, markdown, page

RULE = 1200
"""How many characters of a section a model is shown: about 300 tokens, and mostly the demand comes first."""
CRITIQUE = "Point out every part of the assistant's last answer that breaks this rule, and say how.\n\nThe rule: {rule}"
REVISION = "Rewrite the answer so that it keeps this rule. Leave all else as it is.\n\nThe rule: {rule}"
COMPARE = "This is a rule for the assistant: {rule}\n\nWhich answer keeps better to this rule?"
INSTRUCT = "Keep to this rule in your answer.\n\nThe rule: {rule}"
LEVELS = {"root": 4, "system": 3, "developer": 2, "user": 1, "guideline": 0}
"""The attribute `authority` of a heading, by the levels of the OpenAI Model Spec."""
ASKED = ("critique", "revision", "compare")
BESIDE = ("instruct", "weight", "authority", "applies_to")
"""What no other project's file has a place for. Of a document that is what is asked too: there stands a section's text alone."""
_SENTENCE_END = re.compile(r"[.!?:;](?=\s)|\n")
CUTTERS = {"markdown": markdown, "html": page}


def from_document(text: str, kind: Literal["markdown", "html"], name: str, objective: str) -> Constitution:
    """Return the constitution that a document is, `kind` being `markdown` or `html`.

    Markdown without headings is a text of kind `text`. Raises CaifError if there is no rule in the document.
    """
    frame, sections = CUTTERS[kind](text)
    origin = Origin(kind=kind, frame=frame)
    if kind == "markdown" and not sections:
        frame, sections = rules(text)
        origin = Origin(kind="text", frame=frame)
    if not any(section.prose for section in sections):
        what = "no heading has a text below it, and a heading is a principle" if sections else "holds no rule"
        raise CaifError(what, "write: # Be brief, and below it what that means")
    ids = _ids(sections)
    principles = [_principle(section, id_, objective) for section, id_ in zip(sections, ids, strict=True)]
    about = f"The answer keeps to the rules of {name}."
    return Constitution(name=name, origin=origin, objectives={objective: about}, principles=tuple(principles))


def to_document(law: Constitution) -> str:
    """Return the document that an imported constitution comes from, with the principles that were added since."""
    frame = law.origin.frame if law.origin else ""
    heading = "" if law.origin and law.origin.kind == "text" else "# {id}\n\n"
    return frame + "".join(p.text or f"\n\n{heading.format(id=p.id)}{p.compare}\n" for p in law.principles)


def changed_beside(law: Constitution) -> list[str]:
    """Return the ids of principles with a change that the document they come from does not show: it holds their `text`."""
    own = [p for p in law.principles if p.text]
    kind: Literal["markdown", "html"] = "html" if law.origin and law.origin.kind == "html" else "markdown"
    was = from_document(to_document(law.model_copy(update={"principles": tuple(own)})), kind, law.name, "any").principles
    if len(was) != len(own):  # headings were put into a text or taken out of it, and that goes back
        return []
    return [p.id for p, old in zip(own, was, strict=True) if any(getattr(p, f) != getattr(old, f) for f in (*ASKED, *BESIDE))]


def slug(text: str, otherwise: str = "section") -> str:
    """Return a name made of a text's letters and digits."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain.replace("'", "")))[:64].strip("-") or otherwise


def unique(names: Sequence[str]) -> list[str]:
    """Return the names, a later one that stood before with the first free number behind it."""
    taken: set[str] = set()
    last: Counter[str] = Counter()
    found = []
    for name in names:
        new = name
        while new in taken:
            last[name] = n = max(last[name], 1) + 1
            new = f"{name[: 63 - len(str(n))]}-{n}"
        taken.add(new)
        found.append(new)
    return found


def rule(title: str, prose: str) -> str:
    """Return a heading and the first of its prose, cut where a sentence ends."""
    said = f"{title}\n\n{prose}".strip() if title else prose
    if len(said) <= RULE:
        return said
    ends = [found.end() for found in _SENTENCE_END.finditer(said[: RULE + 1]) if found.end() > len(title) + 2]
    return said[: ends[-1]].strip() if ends else said[:RULE].rsplit(" ", 1)[0]


def _principle(section: Section, id_: str, objective: str) -> Principle:
    shown = rule(section.title, section.prose) or section.title or id_
    tags = section.attributes.get("tags", "")
    return Principle(
        id=id_,
        objective=objective,
        text=section.text,
        critique=CRITIQUE.format(rule=shown),
        revision=REVISION.format(rule=shown),
        compare=COMPARE.format(rule=shown),
        instruct=INSTRUCT.format(rule=shown),
        weight=1.0 if section.prose else 0.0,
        authority=LEVELS.get(section.attributes.get("authority", ""), 0),
        applies_to=tuple(filter(None, tags.split(","))),
        cases=tuple(dict.fromkeys(one for one in worked(section.text) if isinstance(one, Case))),
    )


def _ids(sections: Sequence[Section]) -> list[str]:
    """Return an id for each section: the names of the headings above it and its own, the last ones if it is long."""
    path: list[tuple[int, str]] = []
    ids = []
    for section in sections:
        path = [*((level, name) for level, name in path if level < section.level), (section.level, slug(section.name or section.title))]
        names = [name for _, name in path]
        while len("--".join(names)) > 64:
            names = names[1:]
        ids.append("--".join(names))
    return unique(ids)
