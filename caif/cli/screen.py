"""The review in a terminal: an item, a key, the next item. Over a pipe a line stands for a key, so it can be scripted."""

import sys
from collections.abc import Callable
from typing import NamedTuple

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from caif.report.show import cut, visible
from caif.review.choices import choices
from caif.review.items import Item
from caif.review.session import Review

WIDE = 100
"""From this many columns on, two answers stand side by side."""
OTHERS = "u undo   c comment   ? help   q quit"
HELP = (
    "Say which answer is better for the objective above, as you see it. Which model wrote an answer and what a judge said "
    "of it is not shown, and the order of the answers is drawn. s leaves an item out; u takes the last vote back and asks "
    "again; c writes a comment, which goes with your next vote. Every vote is on the disk before the next item shows: q "
    "stops, and the same command goes on."
)


class Keyboard(NamedTuple):
    """Where keys and comments come from; both are empty at the end."""

    key: Callable[[], str]
    line: Callable[[], str]


def keyboard() -> Keyboard:
    """Return the terminal's keys, or the lines of what is piped in."""
    if sys.stdin.isatty():
        return Keyboard(_key, lambda: input("comment: "))
    return Keyboard(lambda: sys.stdin.readline().strip() or _more(), lambda: sys.stdin.readline().strip())


def _key() -> str:
    try:
        return typer.getchar()
    except EOFError:
        return ""


def _more() -> str:
    """Return the next line that says something: an empty one is not the end."""
    return next((said for line in sys.stdin if (said := line.strip())), "")


def go_through(review: Review, console: Console, keys: Keyboard) -> None:
    """Ask item by item until all have a vote or the rater stops."""
    comment = ""
    while one := review.current:
        _show(review, one, console)
        known = {key: choice.name for choice in choices(one) for key in choice.keys}
        while True:
            key = keys.key().lower()
            if key in ("", "q", "\x04"):
                return
            if key in known:
                review.say(one.id, known[key], comment)
                comment = ""
            elif key == "u":
                _say(console, "" if review.undo() else "There is no vote to take back.")
            elif key == "c":
                comment = keys.line()
            else:
                _say(console, HELP if key == "?" else f"There is no key {key!r}; ? helps.")
            if review.current is not one:
                break


def _show(review: Review, one: Item, console: Console) -> None:
    pair = len(one.answers) == 2
    asked = "Which answer is better?" if pair else "Is this a good answer?"
    if console.is_terminal:
        console.clear()
    console.rule(_text(f"{len(review.done) + 1} of {len(review.items)}"), style="dim")
    meaning = f": {review.question.meaning}" if review.question.meaning else ""
    console.print(_text(asked, "bold"), _text(f"{review.question.objective}{meaning}", "dim"))
    for message in one.prompt.messages:
        console.print(_text(f"\n{message.role}", "dim"))
        console.print(_text(message.content))
    titles = ("Answer 1", "Answer 2") if pair else ("Answer",)
    panels = [
        Panel(_text(text), title=title, title_align="left")
        for title, text in zip(titles, review.shown(one), strict=True)
    ]
    grid = Table.grid(expand=True, padding=(0, 1))
    for part in [panels] if console.width >= WIDE else [[panel] for panel in panels]:
        grid.add_row(*part)
    for column in grid.columns:
        column.ratio = 1
    console.print(grid)
    keys = "   ".join(f"{choice.keys[0]} {choice.label.lower()}" for choice in choices(one))
    console.print(_text(f"{keys}\n{OTHERS}", "dim"))


def _say(console: Console, text: str) -> None:
    if text:
        console.print(_text(text))


def _text(text: str, style: str = "") -> Text:
    return Text(str(visible(cut(text))), style=style)
