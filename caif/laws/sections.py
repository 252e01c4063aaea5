"""Cut a Markdown or HTML document at its headings, so that the pieces put together are the document again.

Every step is linear in the length of the document: it may come from anywhere.
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_FENCE = re.compile(r" {0,3}(?P<marks>`{3,}|~{3,})(?P<info>[^\n]*)")
_HEADING = re.compile(r" {0,3}(?P<marks>#{1,6})(?=\s|$)")
_UNDERLINE = re.compile(r" {0,3}(?:(=+)|-+)[ \t]*\r?\n?\Z")
"""What makes a heading of the line above it, if a paragraph begins and ends with that line."""
_NO_TITLE = re.compile(r"    |\t|\s*(?:[-*+>|]|\d+[.)])(?:\s|\Z)|\s*[-=]+\s*\Z")
"""How a line begins that is code, an item, a quotation, a table or a rule across the page."""
_HTML_HEADING = re.compile(
    r"<h(?P<level>[1-6])\b[^<>]*>(?P<title>.{0,300}?)</h(?P=level)\s*>", re.IGNORECASE | re.DOTALL
)
_TAG = re.compile(r"<[^<>]*>")
_UNSEEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_HTML_BLOCK = re.compile(r"</?(?:p|div|li|ul|ol|section|header|table|tr|blockquote|br)\b[^<>]*>", re.IGNORECASE)
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_EMPHASIS = re.compile(r"(\*\*|__|\*)(?=\S)(.{1,300}?)(?<=\S)\1")
_BESIDE = re.compile(r"    |\t|(?:!!!|\?\?\?)\s*\w|\W*examples?\b[^\n]{0,200}\Z", re.IGNORECASE)
"""How a block begins that is code, a comment beside the text, or the title of an example."""


class Section(NamedTuple):
    """A heading and all up to the next one. `text` is that piece as it stands, `prose` what it says, without markup.

    `name` is what a piece without a heading is called.
    """

    level: int
    title: str
    attributes: dict[str, str]
    text: str
    prose: str
    name: str = ""


class Heading(NamedTuple):
    """Where a heading begins and ends, and what it says."""

    start: int
    end: int
    level: int
    title: str


def markdown(text: str) -> tuple[str, list[Section]]:
    """Return what stands before the first heading, and the sections: `# Title`, or a line of `=` or `-` below the title.

    A `#` in fenced code is no heading.
    """
    headings, place = [], 0
    paragraph: list[str] = []
    for line, is_code in lines(text):
        end = place + len(line)
        if not is_code and (found := _HEADING.match(line)):
            headings.append(Heading(place, end, len(found["marks"]), _bare(_unclosed(line[found.end() :].strip()))))
            paragraph = []
        elif not is_code and len(paragraph) == 1 and (found := _UNDERLINE.match(line)) and not _NO_TITLE.match(paragraph[0]):
            headings.append(Heading(place - len(paragraph[0]), end, 1 if found[1] else 2, _bare(paragraph[0].strip())))
            paragraph = []
        else:
            paragraph = [*paragraph[-1:], line] if line.strip() and not is_code else []
        place = end
    if len(headings) == 1 and "\n" in text[headings[0].start : headings[0].end].strip():
        headings = []  # one title that is underlined is that of the whole text
    return _cut(text, headings, markdown_prose)


def page(text: str) -> tuple[str, list[Section]]:
    """Return what stands before the first heading of an HTML page, and the sections."""
    seen = _UNSEEN.sub(lambda found: " " * len(found[0]), text)  # a heading in a script or comment is none
    headings = [
        Heading(m.start(), m.end(), int(m["level"]), _html_prose(m["title"])) for m in _HTML_HEADING.finditer(seen)
    ]
    return _cut(text, headings, _html_prose)


def _cut(text: str, headings: Sequence[Heading], prose: Callable[[str], str]) -> tuple[str, list[Section]]:
    ends = [*(heading.start for heading in headings[1:]), len(text)]
    sections = [
        Section(h.level, *_attributes(h.title), text[h.start : end], prose(text[h.end : end]))
        for h, end in zip(headings, ends, strict=bool(headings))
    ]
    return text[: headings[0].start] if headings else text, sections


def lines(text: str) -> Iterator[tuple[str, bool]]:
    """Yield every line, and whether it is fenced code or a fence."""
    fence = ""
    for line in _LINE.findall(text):
        mark = _FENCE.match(line)
        if fence:
            yield line, True
            fence = "" if mark and mark["marks"].startswith(fence) and not mark["info"].strip() else fence
        else:
            opens = mark and not (mark["marks"][0] == "`" and "`" in mark["info"])
            fence = mark["marks"] if mark and opens else ""
            yield line, bool(opens)


def _unclosed(title: str) -> str:
    """Return a heading's title without the marks that may close it."""
    bare = title.rstrip("#")
    return title if bare == title or bare[-1:].strip() else bare.rstrip()


def _bare(said: str) -> str:
    """Return what a line of Markdown says, without emphasis and links' addresses."""
    return _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", said)).strip()


def _attributes(title: str) -> tuple[str, dict[str, str]]:
    """Part a title from the attributes behind it, `{#id key=value}`; other braces are part of the title."""
    before, brace, inside = title.rpartition("{")
    words = inside[:-1].split()
    if (
        not brace
        or not inside.endswith("}")
        or not words
        or not all(w.startswith(("#", ".")) or "=" in w for w in words)
    ):
        return title.strip(), {}
    pairs = [word.partition("=") if "=" in word else (word[0], "", word[1:]) for word in words]
    return before.strip(), {key: value.strip("\"'") for key, _, value in pairs}


def markdown_prose(body: str) -> str:
    """Return the paragraphs that say something: no code, examples, comments beside the text or links' addresses."""
    outside = "".join("\n" if is_code else line for line, is_code in lines(_UNSEEN.sub("", body)))
    kept = []
    for block in re.split(r"\n[ \t\r]*\n", outside):
        said = block.strip("\n\r")
        if said.strip() and not _BESIDE.match(said):
            kept.append(_bare(said))
    return "\n\n".join(filter(None, kept))


def _html_prose(body: str) -> str:
    said = (" ".join(html.unescape(_TAG.sub("", block)).split()) for block in _HTML_BLOCK.split(_UNSEEN.sub("", body)))
    return "\n\n".join(filter(None, said))
