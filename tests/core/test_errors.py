"""An error is one line: what, what to do, and an exit code; nothing from a file can steer the terminal."""

import pytest

from caif.errors import STOPPED, WRONG, CaifError, nearest


@pytest.mark.parametrize("odd", ["a\nb", "a\rb", "\x1b[31mred", "a\0b", "\u202egnp.exe", "\u2028", "\x9b2J", "\ud800"])
def test_a_message_is_one_line_without_control_characters(odd: str) -> None:
    """File names, keys and values stand in messages: none of them may break the line or colour what follows."""
    error = CaifError(f"{odd}: no such file", f"there is: {odd}")
    for text in (str(error), error.message, error.remedy):
        assert text.isprintable()
        text.encode()


def test_an_error_says_what_what_to_do_and_what_it_means() -> None:
    """The three things a script and a person need."""
    error = CaifError("the disk is full", "free some space", code=STOPPED)
    assert (str(error), error.code) == ("the disk is full; free some space", STOPPED)
    assert (str(CaifError("wrong")), CaifError("wrong").code) == ("wrong", WRONG)


def test_a_hint_names_the_nearest_or_all() -> None:
    """A typo gets its correction, anything else gets the choice."""
    assert nearest("learing_rate", ["learning_rate", "batch"]) == "did you mean 'learning_rate'?"
    assert nearest("zzz", ["b", "a"]) == "there are: a, b"
    assert nearest("zzz", []) == "there are: none"
