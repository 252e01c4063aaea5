"""What is shown on a terminal and what without one, and what never reaches either."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from caif.exits import no_space
from caif.terminal import Terminal, clean, duration, redact


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=120, legacy_windows=False, _environ={})


def shown(telling: Terminal) -> str:
    return telling.console.file.getvalue()  # type: ignore[attr-defined]


def test_a_terminal_has_bars_with_rows_per_second_and_time_left() -> None:
    """One bar a label; a stage that asks twice starts its bar anew; closing takes the bars away."""
    telling = Terminal(console(terminal=True))
    for _ in range(2):
        assert list(telling.track([[0, 1], [2]], 3, "revise [/red]", len)) == [[0, 1], [2]]
    telling.step("sft", 1, 2, loss=0.5)
    telling.close()
    for word in ("revise [/red]", "3/3", "sft", "1/2", "loss 0.5"):
        assert word in shown(telling)


def test_without_a_terminal_there_is_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log file is not filled with bars."""
    telling = Terminal(console(terminal=False))
    list(telling.track([[0], [1]], 2, "generate", len))
    assert shown(telling) == ""
    monkeypatch.setattr("caif.terminal.HEARTBEAT", -1.0)
    list(telling.track([[0], [1]], 2, "generate", len))
    assert "generate  1 of 2" in shown(telling)


def test_where_nobody_knows_how_many_rows_there_are_they_are_counted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read without counting it first: rows done and rows a second, and no time left."""
    telling = Terminal(console(terminal=True))
    assert list(telling.track([[0, 1], [2]], None, "reading", len)) == [[0, 1], [2]]
    telling.close()
    assert "3/?" in shown(telling)
    monkeypatch.setattr("caif.terminal.HEARTBEAT", -1.0)
    plain = Terminal(console(terminal=False))
    list(plain.track([[0], [1]], None, "reading", len))
    assert "reading  1, " in shown(plain)
    assert "left" not in shown(plain)
    assert "rows/s" in shown(telling)


@given(st.text())
def test_no_control_character_is_ever_shown(text: str) -> None:
    """Nor one that turns the direction of writing; everything else stays."""
    kept = clean(text)
    assert all(character in "\n\t" or (ord(character) >= 32 and not 127 <= ord(character) < 160) for character in kept)
    assert not set(kept) & set("\u202e\u2066\u2069\u200f")
    assert [c for c in text if c.isalnum()] == [c for c in kept if c.isalnum()]


def test_markup_in_a_message_is_text() -> None:
    """Neither a link nor an error."""
    telling = Terminal(console(terminal=True))
    telling.say("[/red] [link=https://example.org]here[/link] \x1b]52;c;AAAA\x07")
    telling.warn("[bold]")
    assert "[/red] [link=https://example.org]here[/link] ]52;c;AAAA" in shown(telling)
    assert "\x1b]" not in shown(telling)
    assert "[bold]" in shown(telling)


def test_keys_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their look, and by the variables that hold them."""
    monkeypatch.setenv("SOME_SERVER_TOKEN", "plain-looking-value")
    said = redact("sk-abcdefgh123 hf_ABCDEFGH https://me:pw@host/x Bearer abc.def plain-looking-value fine")
    assert said == "*** *** https://***@host/x Bearer *** *** fine"


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(28, "No space left on device"), True),
        (OSError(122, "Disk quota exceeded"), True),
        (RuntimeError("SafetensorError: I/O error: No space left on device (os error 28)"), True),
        (RuntimeError("database or disk is full"), True),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534"), True),
        (RuntimeError("Error while serializing: I/O error: File too large (os error 27)"), True),
        (OSError(2, "No such file"), False),
        (ValueError("space"), False),
    ],
)
def test_a_full_disk_is_known_in_whichever_library_it_shows(error: Exception, *, full: bool) -> None:
    """Some libraries keep the number, some only the words."""
    assert no_space(error) is full


def test_durations_read_as_people_say_them() -> None:
    """Seconds, minutes, hours."""
    assert [duration(s) for s in (0.04, 59.9, 61, 3700)] == ["0.0 s", "59.9 s", "1 min 1 s", "1 h 1 min"]
