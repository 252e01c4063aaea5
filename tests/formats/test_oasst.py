"""OpenAssistant trees: anonymous votes at any depth, ranks on request."""

import json

from caif.data import Prompt, Rating, Rejected
from caif.formats.oasst import open_assistant, prompts


def test_votes_become_one_weighted_rating_a_direction(golden):
    """Three ups and a down are two ratings without a rater; `_skip` keys and red flags are none."""
    ratings = [row for row in open_assistant()(golden("oasst.jsonl")) if isinstance(row, Rating)]
    assert [(row.completion, row.up, row.weight, row.rater) for row in ratings] == [
        ("By the sun and by landmarks.", True, 3.0, ""),
        ("By the sun and by landmarks.", False, 1.0, ""),
        ("They stay in.", False, 2.0, ""),
    ]


def test_an_answer_deep_in_the_tree_has_the_whole_way_as_its_prompt(golden):
    """Roles alternate from the root's prompter down."""
    deep = [row for row in open_assistant()(golden("oasst.jsonl")) if isinstance(row, Rating)][-1]
    assert [(m.role, m.content) for m in deep.prompt.messages] == [
        ("user", "How do bees find home?"),
        ("assistant", "By the sun and by landmarks."),
        ("user", "And at night?"),
    ]


def test_what_cannot_be_used_is_counted_and_named(golden, tally):
    """Deleted and empty messages, odd counts and thumbs on people's messages each have a reason."""
    rows = list(open_assistant()(golden("oasst.jsonl")))
    assert tally(rows) == {
        "Rating": 3,
        "thumb on a person's message": 1,
        "empty message": 1,
        "deleted message": 2,
        "a vote count is not a count": 1,
        "not a tree": 1,
    }
    first = next(row for row in rows if isinstance(row, Rejected))
    assert (first.where, first.detail) == ("oasst.jsonl:1", "message t1")


def test_ranks_become_every_pair_of_siblings_and_no_thumbs(golden, tally):
    """Rank 0 is the best answer; a deleted or empty one is turned away and the others compared without it."""
    rows = list(open_assistant(ranks=True)(golden("oasst.jsonl")))
    pairs = [(row.chosen, row.rejected) for row in rows if not isinstance(row, Rejected)]
    sun, smell, ask = "By the sun and by landmarks.", "By smell, mostly.", "They ask."
    assert pairs == [(sun, smell), (sun, ask), (smell, ask)]
    assert tally(rows) == {"Preference": 3, "empty message": 1, "deleted message": 1, "not a tree": 1}


def test_a_deleted_answer_does_not_cost_its_siblings_their_comparison(write, tally):
    """The answers above and below it are still compared, and it is counted once."""
    answers = [
        {"role": "assistant", "text": t, "rank": n, "deleted": t == "gone"} for n, t in enumerate(("a", "gone", "c"))
    ]
    tree = {"prompt": {"role": "prompter", "text": "Which?", "replies": answers}}
    rows = list(open_assistant(ranks=True)(write("in.jsonl", json.dumps(tree))))
    assert [(row.chosen, row.rejected) for row in rows if not isinstance(row, Rejected)] == [("a", "c")]
    assert tally(rows) == {"Preference": 1, "deleted message": 1}


def test_a_tree_deeper_than_the_call_stack_is_read(write):
    """A long conversation is not an error of the reader."""
    text = '{"text": "last", "role": "assistant", "emojis": {"+1": 1}, "replies": []}'
    for depth in range(300):
        role = "assistant" if depth % 2 else "prompter"
        text = '{"text": "said", "role": "' + role + '", "replies": [' + text + "]}"
    text = '{"text": "root", "role": "prompter", "replies": [' + text + "]}"
    (row,) = open_assistant()(write("deep.jsonl", json.dumps(json.loads('{"prompt": ' + text + "}"))))
    assert len(row.prompt.messages) == 301


def test_the_prompts_are_the_roots(golden, tally):
    """A deleted root is no prompt."""
    rows = list(prompts(golden("oasst.jsonl")))
    assert [row.text for row in rows if isinstance(row, Prompt)] == [
        "How do bees find home?",
        "Write a line about rain.",
    ]
    assert tally(rows) == {"Prompt": 2, "deleted message": 1, "not a tree": 1}
