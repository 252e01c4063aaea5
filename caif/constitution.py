"""The constitution: read a file of principles, check every line of it, and draw principles from it.

Texts are data. `{name}` is replaced from the file's own `[terms]` table and nothing else in braces is looked at, let
alone evaluated.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from math import log1p
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from caif.content import Frozen, digest
from caif.data import Prompt
from caif.errors import CaifError, explain_all, nearest
from caif.files import MAX_BYTES, load
from caif.store import Artifact

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
Verbatim = Annotated[str, StringConstraints(max_length=MAX_BYTES)]
"""Kept to the last space, as long as a file may be: it is for people and for going back, and no model is sent it."""
FILE = "constitution.json"
"""What a constitution is kept as in the store."""

BRACED = re.compile(r"\{\{|\{%|\{\s*([^{}\s\"':,]+)\s*\}")


class Case(Frozen):
    """A unit test of a principle: of these two answers to the prompt, the first is the better one."""

    prompt: Text
    better: Text
    worse: Text


class Check(Frozen):
    """A question about one answer that is settled by yes or no. `wants` says which of the two speaks for the answer."""

    text: Text
    weight: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    wants: Literal["yes", "no"] = "yes"


class Principle(Frozen):
    """One principle. `critique`, `revision` and `compare` are what models are asked; the rest says when and how much.

    `instruct` and `oppose` are system messages under which contrast pairs are sampled (RLCD, 2307.12950); without
    `oppose` the contrary answer is sampled with no instruction at all. `checks` are the rubric by which one answer alone
    can be judged. Weight 0 leaves a principle out of every draw. A principle of higher `authority` can overrule others.
    `text` is the principle as its authors wrote it, where it was imported.
    """

    id: Name
    objective: Name
    text: Verbatim = ""
    critique: Text
    revision: Text
    compare: Text
    instruct: Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)] = ""
    oppose: Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)] = ""
    weight: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    authority: int = 0
    applies_to: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    cases: tuple[Case, ...] = ()

    @property
    def digest(self) -> str:
        """What the principle says to a model, as a digest: labels made under another wording are other labels."""
        said = {"critique", "revision", "compare", "instruct", "oppose", "checks"}
        return digest(self.model_dump(mode="json", include=said))

    def applies(self, tags: Iterable[str]) -> bool:
        """Whether the principle speaks to a prompt with these tags; without `applies_to` it speaks to all."""
        return not self.applies_to or bool(set(self.applies_to) & set(tags))


class Origin(Frozen):
    """The document an imported constitution comes from: with the principles' texts it can be written again, all of it."""

    kind: Literal["markdown", "html", "json", "text"]
    frame: Verbatim = ""
    """What is no principle's: what stands before the first heading, or the JSON around the list of principles."""


class Constitution(Frozen):
    """A named set of principles, each serving one objective."""

    name: Name
    version: str = "1"
    origin: Origin | None = None
    objectives: Annotated[dict[Name, str], Field(min_length=1)]
    principles: Annotated[tuple[Principle, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for wrong in inconsistencies([(p.id, p.objective, p.weight) for p in self.principles], self.objectives):
            raise ValueError(wrong)
        return self

    @property
    def digest(self) -> str:
        """What the whole constitution says, as a digest."""
        return digest(self.model_dump(mode="json"))

    def principle(self, name: str) -> Principle:
        """Return a principle by its id."""
        for principle in self.principles:
            if principle.id == name:
                return principle
        raise CaifError(f"no principle {name!r} in {self.name}", nearest(name, [p.id for p in self.principles]))

    def only(self, names: Sequence[str]) -> "Constitution":
        """Return the constitution reduced to these principles; [] keeps all."""
        picked = tuple(map(self.principle, names)) or self.principles
        return self.model_copy(update={"principles": picked})

    def draw(self, prompt: Prompt, *seeds: object) -> Principle | None:
        """Draw one principle that applies to the prompt, by weight; None if none does."""
        return next(iter(self.order(prompt, *seeds)), None)

    def order(self, prompt: Prompt, *seeds: object) -> list[Principle]:
        """Draw all principles that apply to the prompt, one after the other by weight, without replacement.

        Each runs a race of its own: the time to its arrival is exponential with the weight as its rate, and depends on the
        seeds, the prompt, its id and its weight alone (Efraimidis and Spirakis 2006). So no draw moves with the order of
        the work or a principle's wording, and a principle that is added or gets another weight only moves its own place.
        """
        race = digest([*map(str, seeds), prompt.id])
        return sorted(self.applying(prompt), key=lambda p: -log1p(-int(digest([race, p.id])[:13], 16) / 16**13) / p.weight)

    def applying(self, prompt: Prompt) -> list[Principle]:
        """Return the principles that speak to a prompt and are in use at all."""
        return [p for p in self.principles if p.weight > 0 and p.applies(prompt.tags)]


def inconsistencies(rows: Iterable[tuple[object, object, object]], objectives: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with principles beside each other, from the id, objective and weight of each, as they stand."""
    seen, known, rows = set[str](), set(objectives), list(rows)
    for n, (id_, objective, _) in enumerate(rows):
        if isinstance(id_, str) and id_ in seen:
            yield f"principles[{n}].id: {id_!r} stands twice; ids are unique"
        if isinstance(objective, str) and objective not in known:
            yield f"principles[{n}].objective: {objective!r} is not one of [objectives]; {nearest(objective, known)}"
        seen |= {id_} if isinstance(id_, str) else set()
    if rows and all(weight == 0 for _, _, weight in rows):
        yield "principles: every weight is 0, so none can be drawn"


def read(path: Path | str) -> Constitution:
    """Read a constitution from TOML, YAML or JSON. An error names the file and the key path, its `others` all the rest."""
    table = load(Path(path))
    terms = table.pop("terms", {})
    if not isinstance(terms, dict) or not all(isinstance(value, str) for value in terms.values()):
        raise CaifError(f"{path}: terms: must be a table of texts", 'write for example: assistant = "the assistant"')
    wrong: list[CaifError] = []
    filled = _fill(table, terms, str(path), "", wrong)
    try:
        law = Constitution.model_validate(filled)
    except ValidationError as error:
        wrong += explain_all(error, Constitution, path)
        wrong += [CaifError(f"{path}: {text}") for text in inconsistencies(*_as_they_stand(filled))]
    if wrong:
        first, *others = {str(one): one for one in wrong}.values()
        raise CaifError(first.message, first.remedy, others=others)
    return law


def _as_they_stand(table: Any) -> tuple[list[tuple[object, object, object]], list[str]]:
    """Return principles' ids, objectives and weights, and the objectives, of a table that may hold anything."""
    rows, objectives = table.get("principles"), table.get("objectives")
    tables = [row if isinstance(row, dict) else {} for row in rows] if isinstance(rows, list) else []
    known = list(objectives) if isinstance(objectives, dict) else []
    return [(row.get("id"), row.get("objective") if known else None, row.get("weight", 1.0)) for row in tables], known


def _fill(value: object, terms: dict[str, str], where: str, key: str, wrong: list[CaifError]) -> object:
    """Replace `{name}` by its term in every text; anything else that looks like a template is put down as wrong."""
    if isinstance(value, dict):
        return {n: _fill(item, terms, where, f"{key}.{n}" if key else str(n), wrong) for n, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, terms, where, f"{key}[{n}]", wrong) for n, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def term(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in terms:
            return terms[name]
        what = f"{where}: {key}: {match.group(0)!r} is not a declared term"
        wrong.append(CaifError(what, nearest(name or "", terms)))
        return match.group(0)

    return BRACED.sub(term, value)


def stored(artifact: Artifact) -> Constitution:
    """Return the constitution that an artifact holds."""
    return Constitution.model_validate_json((artifact.folder / FILE).read_text(encoding="utf-8"))
