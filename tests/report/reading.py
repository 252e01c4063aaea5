"""Reads a page as a browser would, and knows which elements the page's own templates use."""

from html.parser import HTMLParser

from caif.report.gather import gather
from caif.report.numbers import numbers
from caif.report.page import page
from caif.store import Artifact

ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "nav", "main", "header", "footer", "section", "ol", "ul", "li",
    "a", "h1", "h2", "h3", "h4", "h5", "p", "em", "b", "br", "span", "div", "code", "pre", "details", "summary", "dl",
    "dt", "dd", "figure", "figcaption", "table", "thead", "tbody", "tr", "th", "td", "svg", "line", "circle", "rect",
    "polyline", "text",
}  # fmt: skip
"""All elements that the page's own templates and plots use."""

VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Reads a page as a browser would, and keeps what it finds."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(artifacts: list[Artifact]) -> Reader:
    reader = Reader(page(numbers(gather(artifacts))))
    assert not reader.open
    assert reader.tags <= ALLOWED
    return reader
