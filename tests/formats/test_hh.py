"""hh-rlhf: the last answers are compared, and rows that cannot be compared are counted."""

from caif.data import Preference
from caif.formats.hh import hh_rlhf, prompts


def test_a_pair_is_the_two_last_answers_to_one_conversation(golden):
    """The first row of the file as messages, with certainty for the chosen answer."""
    row = next(iter(hh_rlhf(objective="harmlessness")(golden("hh.jsonl"))))
    assert isinstance(row, Preference)
    assert [(m.role, m.content) for m in row.prompt.messages] == [
        ("user", "Name a tree."), ("assistant", "Oak."), ("user", "Another?"),
    ]  # fmt: skip
    assert (row.chosen, row.rejected) == ("Beech, a shade tree.", "No.")
    assert (row.probability, row.objective, row.rater) == (1.0, "harmlessness", "")


def test_rows_that_cannot_be_compared_are_counted_by_reason(golden, tally):
    """Each defect of the published files has a reason of its own."""
    assert tally(hh_rlhf()(golden("hh.jsonl"))) == {
        "Preference": 1,
        "prompts differ": 1,
        "empty final answer": 2,
        "ends with the human": 1,
        "identical answers": 1,
        "no answer in the transcript": 1,
        "text before the first turn": 1,
        "a prompt ends with a user message": 1,
        "the last user message is empty": 1,
        "missing key": 1,
        "chosen is not text": 1,
    }


def test_prompts_do_not_need_good_answers(golden, tally):
    """A row with an empty answer still asks something; one whose transcripts part does not say what."""
    counts = tally(prompts(golden("hh.jsonl")))
    assert counts["Prompt"] == 5
    assert counts["prompts differ"] == 1
    assert "empty final answer" not in counts
