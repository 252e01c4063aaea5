"""Real files by people, where they are there: how many rows of each kind, and how many turned away for which reason."""

from collections import Counter

from caif.data import Preference, Prompt, Rating, Rejected
from caif.formats.hh import hh_rlhf
from caif.formats.oasst import open_assistant
from caif.sources.prompts import from_csv, from_hh_rlhf, from_oasst

HH = "hh_rlhf_harmless/harmless-base-dev.jsonl.gz"
OASST = "oasst_en100_thumbs/trees.jsonl"


def test_hh_rlhf_has_354_pairs_and_one_row_whose_prompts_differ(real, tally):
    """The row that differs is turned away by its line."""
    rows = list(hh_rlhf(objective="harmlessness")(real(HH)))
    assert tally(rows) == {"Preference": 354, "prompts differ": 1}
    assert all(row.chosen != row.rejected for row in rows if isinstance(row, Preference))
    assert all("\n\nHuman:" not in m.content for r in rows if isinstance(r, Preference) for m in r.prompt.messages)


def test_oasst_has_271_ratings_of_663_votes(real, tally):
    """Every vote on an answer is in a weight; every thumb on a person's message is turned away."""
    rows = list(open_assistant()(real(OASST)))
    assert tally(rows) == {"Rating": 271, "thumb on a person's message": 148}
    votes = Counter()
    for row in rows:
        if isinstance(row, Rating):
            votes[row.up] += row.weight
    assert votes == {True: 462, False: 201}


def test_oasst_ranks_give_426_pairs(real, tally):
    """All pairs of 114 groups of ranked siblings."""
    assert tally(open_assistant(ranks=True)(real(OASST))) == {"Preference": 426}


def test_xstest_has_250_safe_and_200_unsafe_prompts(real):
    """Types and labels are tags."""
    rows = list(from_csv(real("xstest/xstest_prompts.csv"), tags_column=("type", "label"))())
    assert not any(isinstance(row, Rejected) for row in rows)
    assert Counter(row.tags[1] for row in rows) == {"safe": 250, "unsafe": 200}
    assert len({row.tags[0] for row in rows}) == 18


def test_xstest_answers_span_lines_and_none_is_lost(real, tally):
    """The completion files hold 450 rows on thousands of lines."""
    for name in ("xstest_v2_completions_gpt4.csv", "xstest_v2_completions_llama2orig.csv"):
        path = real(f"xstest/{name}")
        assert tally(from_csv(path, tags_column="type")()) == {"Prompt": 450}
        assert len(path.read_text(encoding="utf-8").splitlines()) > 1000


def test_published_conversations_are_prompts(real, tally):
    """The same files give prompts for generation."""
    assert tally(from_hh_rlhf(real(HH))()) == {"Prompt": 354, "prompts differ": 1}
    assert tally(from_oasst(real(OASST))()) == {"Prompt": 56}
    assert sum(isinstance(row, Prompt) for row in from_oasst(real(OASST), limit=10)()) == 10
