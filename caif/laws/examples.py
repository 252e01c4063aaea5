"""Worked examples of a specification as cases of the principle they belong to: a question, a good answer, a bad one.

The form is that of the OpenAI Model Spec: fenced blocks of tags, in which a comparison holds answers that are marked
GOOD or BAD. A case has one question and no conversation before it, so what has more than that is left out and counted.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from pydantic import ValidationError

from caif.constitution import Case, Constitution, Principle
from caif.errors import CaifError
from caif.files import read_text

_OPENS = re.compile(r"(~{3,}|`{3,})xml\b")
_TAG = re.compile(
    r"<(?P<name>user|developer|system|tool|assistant|untrusted)\b[^<>]*>(?P<said>.*?)</(?P=name)>", re.DOTALL
)
_COMPARISON = re.compile(r"<comparison>(.*?)</comparison>", re.DOTALL)
_MARK = re.compile(r"\s*<!--\s*(?P<word>[A-Z]+)\b.*?-->", re.DOTALL)
_BELONGS = re.compile(r"\AExamples for (\[\^\w+\])")
CUT = "[..."
LONG = 20_000
"""Characters beyond which a block is no example: looking for tags in it would take too long."""


def worked(text: str) -> Iterator[Case | str]:
    """Yield the cases that a text's examples are, and for each example that is none the reason."""
    for block in _blocks(text):
        yield from _cases(block) if len(block) <= LONG else ["a text is empty or too long"]


def _blocks(text: str) -> Iterator[str]:
    """Yield what stands in fences; a fence that is not closed holds nothing."""
    fence, inside = "", list[str]()
    for line in text.splitlines(keepends=True):
        if not fence:
            fence, inside = opens[1] if (opens := _OPENS.match(line)) else "", []
        elif line.rstrip() == fence:
            yield "".join(inside)
            fence = ""
        else:
            inside.append(line)


def _cases(block: str) -> Iterator[Case | str]:
    comparison = _COMPARISON.search(block)
    if comparison is None:
        yield "no answers to compare"
        return
    turns = [(tag["name"], tag["said"].strip()) for tag in _TAG.finditer(block[: comparison.start()])]
    if [name for name, _ in turns] != ["user"]:
        yield "more than one question before the answers"
        return
    answers: dict[str, list[str]] = {"GOOD": [], "BAD": []}
    for tag in _TAG.finditer(comparison[1]):
        mark = _MARK.match(tag["said"])
        if mark and mark["word"] in answers:
            answers[mark["word"]].append(tag["said"][mark.end() :].strip())
    if not all(answers.values()):
        yield "no good answer beside a bad one"
    for better, worse in product(answers["GOOD"], answers["BAD"]):
        yield _case(turns[0][1], better, worse)


def _case(prompt: str, better: str, worse: str) -> Case | str:
    if CUT in prompt + better + worse:
        return "a text is given in part ([...])"
    try:
        return Case(prompt=prompt, better=better, worse=worse)
    except ValidationError:
        return "a text is empty or too long"


def left_out(law: Constitution) -> Counter[str]:
    """Return why examples that stand in an imported constitution are no cases, each reason with its number."""
    return Counter(one for p in law.principles for one in worked(p.text) if isinstance(one, str))


def with_files(law: Constitution, folder: Path) -> tuple[Constitution, Counter[str]]:
    """Return the constitution with the cases of a folder of examples, and why the others are none.

    A file begins with the footnote that it belongs to, `Examples for [^id] in …`; the principle that refers to it gets
    the cases. Raises CaifError where the folder holds no such file.
    """
    cases: dict[str, list[Case]] = {}
    without, files = Counter[str](), 0
    for file in sorted(folder.glob("*.md")):
        text = read_text(file)
        if belongs := _BELONGS.match(text):
            files += 1
            owner = next((p.id for p in law.principles if belongs[1] in p.text), "")
            for one in worked(text):
                if isinstance(one, Case) and owner:
                    cases.setdefault(owner, []).append(one)
                else:
                    without[one if isinstance(one, str) else "no principle refers to them"] += 1
    if not files:
        raise CaifError(f"--examples: {folder} holds no examples", "its files begin with: Examples for [^id] in …")
    return law.model_copy(update={"principles": tuple(_with(p, cases.get(p.id, [])) for p in law.principles)}), without


def _with(principle: Principle, cases: list[Case]) -> Principle:
    return (
        principle.model_copy(update={"cases": tuple(dict.fromkeys([*principle.cases, *cases]))}) if cases else principle
    )
