"""Cut a policy without headings into its rules: an item of a list is one, or a paragraph, with all that belongs to it.

The pieces put together are the text again. What only leads to a list is said before each of its items as well, since a
judge sees one rule alone. Every step is linear in the length of the text.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from textwrap import dedent
from typing import NamedTuple

from caif.laws.sections import Section, lines, markdown_prose

_ITEM = re.compile(
    r"(?P<indent> {0,3})(?:[-*+\u2022]|\(?(?:\d{1,3}|[a-z]|[ivx]{1,5})[.)]|\d{1,3}(?:\.\d{1,3})+\.?)[ \t]+(?=\S)"
)
"""How an item of a list begins: a bullet, a number, a letter, or a number of several parts."""
_ENDS = re.compile(r"[.!?;:][\"')\]\u201d]*\Z")
_ACROSS = re.compile(r"^[ \t]*[-=*_]{3,}[ \t\r]*$", re.MULTILINE)
"""A line across the page, or below a title."""
LEAD = 400
"""What leads to a list is no longer than this: it is said with each item."""
WORDS = 6
"""How many of its first words a rule is called by."""


class Piece(NamedTuple):
    """A part of the text as it stands, in strings, and what it says; an item of a list says it without its mark."""

    parts: list[str]
    said: str
    is_item: bool

    @property
    def text(self) -> str:
        """The part as it stands."""
        return "".join(self.parts)

    @property
    def leads(self) -> bool:
        """Whether it only says what follows."""
        return not self.is_item and self.said.endswith(":") and len(self.said) <= LEAD

    @property
    def is_title(self) -> bool:
        """Whether it is a line that ends no sentence."""
        return not self.is_item and "\n" not in self.said and not _ENDS.search(self.said)


def rules(text: str) -> tuple[str, list[Section]]:
    """Return what stands before the first rule, and the rules; a text that leads to a list is a section without prose."""
    pieces = [Piece([], "", is_item=False)]  # the frame
    for part, is_item in _pieces(text):
        if said := _said(part, is_item=is_item):
            pieces.append(Piece([part], said, is_item))
        else:  # code, a line across the page: it belongs to what stands before it
            pieces[-1].parts.append(part)
    frame, *rest = pieces
    if len(rest) > 1 and rest[0].is_title and not rest[1].is_title:
        frame.parts.extend(rest.pop(0).parts)
    return frame.text, list(_sections(rest))


def _sections(pieces: list[Piece]) -> Iterator[Section]:
    before = ""
    for piece, after in pairwise([*pieces, Piece([], "", is_item=False)]):
        if piece.leads and after.is_item:
            before = piece.said
            yield Section(1, piece.said, {}, piece.text, "", _name(piece.said))
        else:
            before = before if piece.is_item else ""
            yield Section(1, "", {}, piece.text, f"{before} {piece.said}".strip(), _name(piece.said))


def _name(said: str) -> str:
    return " ".join(said.split()[:WORDS])


def _said(text: str, *, is_item: bool) -> str:
    first, _, rest = text.lstrip("\r\n").partition("\n")
    body = f"{_ITEM.sub('', first, count=1)}\n{dedent(rest)}" if is_item else text
    return markdown_prose(_ACROSS.sub("", body))


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield every piece of the text with whether it is an item; blank lines belong to what stands before them.

    An item goes on as long as lines stand further in than its mark, or follow without a blank line.
    """
    piece, indent, apart = "", -1, True
    for line, is_code in lines(text):
        item = None if is_code else _ITEM.match(line)
        if item and (indent < 0 or len(item["indent"]) <= indent):
            starts, now = True, len(item["indent"])
        else:
            outside = indent < 0 or not line[:1].isspace()
            starts, now = bool(apart and line.strip() and not is_code and outside), -1
        if starts:
            if piece:
                yield piece, indent >= 0
            piece, indent = "", now
        piece += line
        apart = is_code or not line.strip()
    if piece:
        yield piece, indent >= 0
