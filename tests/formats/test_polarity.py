"""Up and down are what was declared, in whatever spelling a file has it; the rest is turned away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caif.errors import CaifError
from caif.formats.fields import Unusable
from caif.formats.polarity import mark, polarity
from caif.plugins import load

MARKS = st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(min_size=1, max_size=3).filter(str.strip)


@pytest.mark.parametrize("value", [1, 1.0, "1", "1.0", " 1 ", "👍", "up", True, "True", "TRUE", "true"])
def test_a_declared_value_is_known_in_any_spelling(value):
    """Tables write everything as text."""
    assert polarity((1, "👍", "up", True), (0, "down", False)).thumb(value) is True


@pytest.mark.parametrize("value", [2, -1, "Up", "yes", "nan", [1], {"up": 1}, 0.5])
def test_a_value_in_neither_list_is_ambiguous(value):
    """Case counts, and so does a minus."""
    with pytest.raises(Unusable, match="ambiguous polarity"):
        polarity((1, "up"), (0, "down")).thumb(value)


@pytest.mark.parametrize("value", [None, ""])
def test_no_value_is_no_rating(value):
    """Nobody voted there."""
    with pytest.raises(Unusable, match="no rating"):
        polarity((1,), (0,)).thumb(value)


def test_values_that_stand_for_one_vote_may_not_disagree():
    """A label and a score say the same, or nothing."""
    marks = polarity(("good", 1), ("bad", 0))
    assert marks.thumb("good", 1.0) is True
    assert marks.thumb("unknown", 0) is False
    with pytest.raises(Unusable) as raised:
        marks.thumb("good", 0)
    assert raised.value.detail == "'good' and 0 is up as well as down"


@pytest.mark.parametrize(("up", "down"), [((), ()), ((1,), ()), ((), (0,)), (("",), (0,))])
def test_both_directions_must_be_declared(up, down):
    """What is not up is not thereby down."""
    with pytest.raises(CaifError, match="which values are up and which are down is not told"):
        polarity(up, down)


@pytest.mark.parametrize(("up", "down"), [((1, 2), (0, 1)), ((1,), ("1",)), ((True,), ("True",)), ((1.0,), ("1",))])
def test_no_value_may_be_both(up, down):
    """Nor in two spellings."""
    with pytest.raises(CaifError, match="up and down both hold"):
        polarity(up, down)


@given(up=st.lists(MARKS, max_size=4), down=st.lists(MARKS, max_size=4), value=MARKS)
def test_a_thumb_means_what_its_list_says(up, down, value):
    """Whatever is declared, swapped lists give the opposite thumb, and only declared values give one."""
    try:
        marks, swapped = polarity(tuple(up), tuple(down)), polarity(tuple(down), tuple(up))
    except CaifError:
        return
    assert all(marks.thumb(one) for one in up)
    assert not any(marks.thumb(one) for one in down)
    try:
        assert marks.thumb(value) is not swapped.thumb(value)
    except Unusable:
        assert mark(value) not in map(mark, up + down)


def test_marks_of_a_run_file_keep_their_types():
    """A list of numbers, texts and truths is neither made text nor made numbers on its way to the reader."""
    map = {"prompt": "q", "response": "a", "rating": "r"}
    options = {"map": map, "up": [1, "up", True], "down": [0, "1 of 5", False, 0.5]}
    assert callable(load().make("caif_feedback_formats", "table", options))
    with pytest.raises(CaifError, match="up and down both hold true"):
        load().make("caif_feedback_formats", "table", options | {"down": [True]})
    with pytest.raises(CaifError, match="table has no option 'mapp'; did you mean 'map'"):
        load().make("caif_feedback_formats", "table", options | {"mapp": map})
