"""What a run looks like on a terminal: bars on stderr, tables on stdout, and no text from data that could steer either.

Without a terminal there are no bars: one line when a stage starts, one when it is done, one a minute in between.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from caif.hookspecs import StageEvent, hookimpl
from caif.run import Tell

ROWS = ("completion", "judgement", "preference", "principle", "prompt", "rating", "revision")
"""What a stage counts by a noun that has a plural; its other counts are phrases."""
HEARTBEAT = 60.0
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SECRET = re.compile(r"\b(sk-|hf_|gsk_|xai-|ghp_)[A-Za-z0-9_-]{6,}|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)|(?<=Bearer )\S+")
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")


def clean(value: object) -> str:
    """Return a text without control characters: an answer may hold escapes that write to the clipboard or the title."""
    return _CONTROL.sub("", str(value))


def redact(text: str) -> str:
    """Return a text without keys: what looks like one, and the value of every variable whose name says it is one."""
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name) and len(value) >= 8:
            text = text.replace(value, "***")
    return _SECRET.sub("***", text)


def duration(seconds: float) -> str:
    """Return a length of time as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class _Speed(ProgressColumn):
    """Rows or steps a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} {task.fields['unit']}/s" if task.speed else "", style="progress.data.speed")


class Terminal(Tell):
    """Tells a run on stderr. It is a plugin too, an observer of stages."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._bars: Progress | None = None
        self._tasks: dict[str, Any] = {}
        self._spoke = time.monotonic()

    def say(self, text: str) -> None:
        """Say one line."""
        self.console.print(Text(clean(text)), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Say one line that must not be missed."""
        self.console.print(Text(f"caif: warning: {redact(clean(text))}", style="yellow"), soft_wrap=True)

    def track(self, items: Iterable[Any], total: int | None, label: str, size: Callable[[Any], int]) -> Iterator[Any]:
        """Yield the items, showing rows done, rows a second and, where their number is known, the time left."""
        started, done = time.monotonic(), 0
        if self._bars is not None and label in self._tasks:
            self._bars.reset(self._tasks[label])  # a stage may ask several times
        for item in items:
            self._show(label, done, total, started, "")
            yield item
            done += size(item)
        self._show(label, done, total, started, "")

    def step(self, label: str, done: int, total: int, **numbers: float) -> None:
        """Say how far a training has come, with its latest numbers."""
        shown = ", ".join(f"{name} {value:.3g}" for name, value in numbers.items())
        self._show(label, done, total, None, shown)

    def _show(self, label: str, done: int, total: int | None, started: float | None, extra: str) -> None:
        if self.console.is_terminal:
            if self._bars is None:
                columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), _Speed())
                extras = (TimeRemainingColumn(), TextColumn("{task.fields[extra]}", markup=False))
                self._bars = Progress(*columns, *extras, console=self.console, transient=True)
                self._bars.start()
            if label not in self._tasks:
                unit = "rows" if started else "steps"
                self._tasks[label] = self._bars.add_task(clean(label), total=total, extra="", unit=unit)
            self._bars.update(self._tasks[label], completed=done, total=total, extra=extra)
        elif time.monotonic() - self._spoke > HEARTBEAT and done:
            passed = time.monotonic() - started if started else 0.0
            speed = f", {done / passed:.1f} rows/s" if passed else ""
            left = f", {duration(passed / done * (total - done))} left" if passed and total is not None else ""
            so_far = f"{done}" if total is None else f"{done} of {total}"
            self._line(f"{label}  {so_far}{speed}{left}{', ' if extra else ''}{extra}")

    def _line(self, text: str) -> None:
        self._spoke = time.monotonic()
        self.say(text)

    def close(self) -> None:
        """Take the bars away."""
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._tasks = None, {}

    @hookimpl
    def caif_stage_started(self, event: StageEvent) -> None:
        """Say that a stage begins; on a terminal its bar says so."""
        if not event.reused and not self.console.is_terminal:
            self._line(f"{event.stage}  started")

    @hookimpl
    def caif_stage_finished(self, event: StageEvent) -> None:
        """Say how long a stage took and what it holds."""
        self.close()
        if not event.reused:
            counts = ", ".join(_counted(number, what) for what, number in (event.counts or {}).items() if number)
            self._line(f"{event.stage}  done in {duration(event.seconds)}{': ' if counts else ''}{counts}")


def _counted(number: int, what: str) -> str:
    plural = number != 1 and what in ROWS
    return f"{number} {what}{'s' if plural else ''}"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], footer: str = "") -> None:
    """Print a table on stdout; columns whose name begins with `#` are numbers and stand right."""
    console = _stdout()
    shown = Table(title=Text(clean(title), style="bold") if title else None, title_justify="left", caption_justify="left")
    for column in columns:
        shown.add_column(column.lstrip("#"), justify="right" if column.startswith("#") else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(clean("" if cell is None else cell)) for cell in row))
    console.print(shown)
    if footer:
        console.print(Text(clean(footer)), soft_wrap=True)


def line(text: str) -> None:
    """Print one line on stdout as it is."""
    _stdout().print(Text(clean(text)), soft_wrap=True)


def _stdout() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else 140)
