"""Files of pairs whose preferences people made or checked: LLMBar, fine-grained feedback, Inverse Constitutional AI."""

from collections import Counter

from caif.data import Preference
from caif.formats.finegrained import fine_grained
from caif.formats.icai import icai
from caif.formats.llmbar import llmbar


def test_llmbar_labels_name_the_better_output(golden, tally):
    """Label 1 or 2; every other row is turned away by reason."""
    rows = list(llmbar(objective="honesty")(golden("llmbar.json")))
    pairs = [row for row in rows if isinstance(row, Preference)]
    assert [(p.prompt.text, p.chosen, p.rejected, p.probability, p.objective) for p in pairs] == [
        ("Name a colour.", "Blue.", "A dog.", 1.0, "honesty"),
        ("Count to three.", "One, two, three.", "Three.", 1.0, "honesty"),
    ]
    assert tally(rows) == {
        "Preference": 2, "identical answers": 1, "label is neither 1 nor 2": 2, "input is empty": 1, "missing key": 1,
        "not an object": 1,
    }  # fmt: skip


def test_fine_grained_preferences_are_six_pairs(golden, tally):
    """In the order 12, 13, 14, 23, 24, 34; 0 is a tie; the passages stand below the question."""
    rows = list(fine_grained()(golden("fine_grained.json")))
    first = [row for row in rows if isinstance(row, Preference)][:6]
    north, old, south, nowhere = "In the north.", "It is old.", "In the south.", "Nowhere."
    assert [(p.chosen, p.rejected, p.probability) for p in first] == [
        (north, old, 1.0), (north, south, 1.0), (north, nowhere, 1.0), (old, south, 0.5), (nowhere, old, 1.0),
        (south, nowhere, 1.0),
    ]  # fmt: skip
    asked = "Where is the bridge?\n\nAnswer from these passages:\n\nThe bridge: It is old. It is in the north.\n\nA river: "
    assert {p.prompt.text for p in first} == {asked}
    assert tally(rows) == {
        "Preference": 9, "identical answers": 1, "preference is not 0, 1 or 2": 2, "preference is not six numbers": 1,
        "passages are not lists of sentences": 1, "missing key": 1,
    }  # fmt: skip


def test_fine_grained_questions_can_stand_alone(golden):
    """Without the passages, for judges that read slowly."""
    row = next(iter(fine_grained(passages=False)(golden("fine_grained.json"))))
    assert row.prompt.text == "Where is the bridge?"


def test_icai_pairs_split_into_what_was_asked_and_answered(golden, tally):
    """Ties of either kind are pairs of one half."""
    rows = list(icai()(golden("icai.csv")))
    pairs = [row for row in rows if isinstance(row, Preference)]
    assert [(p.prompt.text, p.chosen, p.rejected, p.probability) for p in pairs] == [
        ("Name a tree.", "Oak.", "A table.", 1.0), ("Name a tree.", "Beech.", "Stone.", 1.0),
        ("Name a tree.", "Oak.", "Elm.", 0.5), ("Name a tree.", "Fog.", "Mud.", 0.5),
    ]  # fmt: skip
    assert tally(rows) == {
        "Preference": 4, "prompts differ": 1, "no instruction": 1, "identical answers": 1, "empty final answer": 1,
        "preferred_text is neither a text nor a tie": 1,
    }  # fmt: skip


def test_icai_pairs_may_name_what_was_asked_apart(write):
    """A column `input`, as the published example has it."""
    path = write("pairs.csv", "index,text_a,text_b,preferred_text,input\n0,Oak.,Elm.,text_b,Name a tree.\n")
    (row,) = icai()(path)
    assert (row.prompt.text, row.chosen, row.rejected) == ("Name a tree.", "Elm.", "Oak.")


def test_llmbar_case_studies_are_read_whole(real, tally):
    """Five files, 315 pairs, not one turned away."""
    found = Counter()
    for name, n in {"Base_10": 54, "Base_9": 54, "Constraint": 89, "Negation": 59, "Normal": 59}.items():
        assert tally(llmbar()(real(f"llmbar/CaseStudy_{name}.json"))) == {"Preference": n}
        found["all"] += n
    assert found["all"] == 315


def test_negated_instructions_turn_the_preference_around(real):
    """The same answers to "do it well" and "do it badly": nearly all labels change sides."""
    normal, negated = (list(llmbar()(real(f"llmbar/CaseStudy_{name}.json"))) for name in ("Normal", "Negation"))
    turned = [one.chosen == other.rejected for one, other in zip(normal, negated, strict=True)]
    assert sum(turned) / len(turned) > 0.9


def test_fine_grained_feedback_has_600_pairs_and_44_ties(real, tally):
    """100 questions, six pairs each, as the file counts them."""
    rows = list(fine_grained()(real("finegrained_rlhf_dev/dev_feedback_100.json")))
    assert tally(rows) == {"Preference": 600}
    assert sum(row.probability == 0.5 for row in rows) == 44
    assert len({row.prompt.id for row in rows}) == 100


def test_icai_pairs_have_120_rows(real, tally):
    """Three synthetic files and the example."""
    for name, n in {"aligned_vqvtb": 30, "mixed_vqvtb_adcbg": 60, "orthogonal_adcbg": 30}.items():
        assert tally(icai()(real(f"icai_synthetic/synthetic_data_{name}.csv"))) == {"Preference": n}
    assert tally(icai()(real("icai_synthetic/example.csv"))) == {"Preference": 1}
