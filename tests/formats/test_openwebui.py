"""Open WebUI's export: right polarity, right branch of the chat, nobody's id."""

import pytest

from caif.data import Rating, Rejected
from caif.errors import CaifError
from caif.formats.openwebui import open_webui


@pytest.fixture
def rows(golden):
    """Return all that is read from the golden export."""
    return list(open_webui()(golden("open_webui_export.json")))


def test_ratings_as_numbers_or_texts_have_their_polarity(rows):
    """1 and "1" are up, -1 and "-1" are down, wherever the version keeps the history."""
    ratings = [row for row in rows if isinstance(row, Rating)]
    assert [(row.up, row.completion) for row in ratings] == [
        (True, "Its acids slow the mould."),
        (False, "Any bread with salt in it."),
        (True, "Sourdough."),
        (False, "Any bread with salt in it."),
        (True, "Its acids slow the mould."),
    ]


def test_the_prompt_is_the_way_to_the_answer_and_no_other_branch(rows):
    """Sibling answers are not part of the conversation that the rated one answered."""
    said = [(message.role, message.content) for message in rows[0].prompt.messages]
    assert said == [("user", "Which bread keeps longest?"), ("assistant", "Sourdough."), ("user", "Why?")]


def test_opposite_thumbs_on_siblings_stay_thumbs_on_one_prompt(rows):
    """They share the prompt's id, by which `combine` can make a pair of them."""
    down, up = rows[1], rows[2]
    assert (down.up, up.up) == (False, True)
    assert down.prompt.id == up.prompt.id
    assert down.completion != up.completion


def test_everything_else_is_turned_away_with_its_reason(rows, tally):
    """A draw is no thumb, and neither is a rating without its text."""
    assert tally(rows) == {
        "Rating": 5,
        "draw": 2,
        "no data": 1,
        "no snapshot": 1,
        "no meta": 1,
        "ambiguous polarity": 3,
        "no rating": 1,
        "rated message is not in the snapshot": 1,
        "the chat is broken off before its first message": 1,
        "the chat runs in a circle": 1,
        "rated answer is empty": 1,
        "rated message is not an answer": 1,
        "not a rating": 1,
        "no messages in the snapshot": 1,
        "not an object": 1,
    }
    assert next(row.where for row in rows if isinstance(row, Rejected)) == "open_webui_export.json:[5]"


def test_a_user_is_told_from_others_but_not_named(rows, golden):
    """No row holds a user's id; another salt gives other names; no id gives no name."""
    raw = ("11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555")
    assert not any(user in row.model_dump_json() for row in rows for user in raw)
    raters = [row.rater for row in rows if isinstance(row, Rating)]
    assert raters[0] == raters[3] != raters[1] == raters[2]
    assert raters[4] == ""
    salted = [row.rater for row in open_webui(salt="ours")(golden("open_webui_export.json")) if isinstance(row, Rating)]
    assert not set(salted[:4]) & set(raters[:4])


def test_the_reason_is_what_was_chosen_and_what_was_written(rows):
    """Both where there are both."""
    reasons = [row.reason for row in rows if isinstance(row, Rating)]
    assert reasons == ["accurate_information", "not_helpful: Says nothing.", "Just right.", "", ""]


def test_the_csv_export_is_refused_because_it_holds_no_text(golden):
    """The message says which export to make instead."""
    with pytest.raises(CaifError, match="holds no text of prompts and answers; export it as JSON"):
        list(open_webui()(golden("open_webui_export.csv")))
