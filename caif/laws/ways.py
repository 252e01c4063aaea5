"""The way in from another project's file, and the way back: which format a file has, and what it becomes."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from caif.constitution import Constitution, Principle
from caif.errors import CaifError, explain, nearest
from caif.files import parse, read_text
from caif.laws.documents import changed_beside, from_document, slug, to_document
from caif.laws.sets import changed_elsewhere, from_set, to_set
from caif.laws.writing import as_json

Kind = Literal["markdown", "html", "json"]
KINDS: dict[str, Kind] = {
    ".md": "markdown", ".markdown": "markdown", ".txt": "markdown", ".html": "html", ".htm": "html", ".json": "json",
}  # fmt: skip


def bring(file: Path, objective: str = "") -> Constitution:
    """Return the constitution that a Markdown, HTML, JSON or text file becomes.

    `objective` is what its principles serve; without one they all serve an objective of the file's name.
    """
    if file.suffix not in KINDS:
        raise CaifError(f"{file}: cannot tell the format from {file.suffix!r}", f"name it {', '.join(KINDS)}")
    name = slug(file.stem, "constitution")
    if objective and slug(objective) != objective:
        raise CaifError(f"--objective: {objective!r} is no name", f"write it as {slug(objective)!r}")
    kind = KINDS[file.suffix]
    held: Any = parse(file) if kind == "json" else read_text(file)
    try:
        return from_set(held, name, objective or name) if kind == "json" else from_document(held, kind, name, objective or name)
    except ValidationError as error:
        raise explain(error, Principle, file) from None
    except CaifError as error:
        raise CaifError(f"{file}: {error.message}", error.remedy) from None


def take(law: Constitution, to: str = "") -> str:
    """Return a constitution in another format, by default the one it comes from, without loss if it comes from there.

    One of another origin becomes caif's own JSON, or Markdown for people to read.
    """
    came = law.origin.kind if law.origin else ""
    to = to or came or "json"
    if to not in ("markdown", "json", came):
        raise CaifError(f"--to: {law.name} cannot be written as {to!r}", nearest(to, {"markdown", "json", came} - {""}))
    if to != came:
        return as_json(law) if to == "json" else readable(law)
    return json.dumps(to_set(law), ensure_ascii=False, indent=2) + "\n" if to == "json" else to_document(law)


def lost(law: Constitution) -> list[str]:
    """Return the ids of imported principles with changes for which the format they come from has no place."""
    if law.origin is None:
        return []
    return changed_elsewhere(law) if law.origin.kind == "json" else changed_beside(law)


def readable(law: Constitution) -> str:
    """Return a constitution as Markdown for people: a section an objective, its principles with their cases below."""
    parts = [f"# {law.name}", f"Version {law.version}."]
    for objective, about in law.objectives.items():
        parts += [f"## {objective}", about]
        for p in law.principles:
            if p.objective == objective:
                parts += [f"### {p.id}", *_facts(p)]
    return "\n\n".join(parts) + "\n"


def _facts(p: Principle) -> list[str]:
    asked = ("compare", "critique", "revision", "instruct", "oppose")
    lines = [f"* **{name}**: {_inside(getattr(p, name))}" for name in asked if getattr(p, name)]
    lines += [
        f"* **weight**: {p.weight:g}; **authority**: {p.authority}; **applies to**: {', '.join(p.applies_to) or 'all'}"
    ]
    lines += [
        f"* **check**: {_inside(check.text)} ({check.wants} is better, weight {check.weight:g})" for check in p.checks
    ]
    said = [(_inside(text, "> ") for text in (case.prompt, case.better, case.worse)) for case in p.cases]
    cases = [f"> **{prompt}**\n>\n> Better: {better}\n>\n> Worse: {worse}" for prompt, better, worse in said]
    return [*([_inside(p.text, "")] if p.text else []), "\n".join(lines), *cases]


def _inside(text: str, margin: str = "  ") -> str:
    """Keep a text's later lines inside the list or quotation it stands in."""
    return text.strip().replace("\n", f"\n{margin}")
