"""The steps from rows to a mixture, each against what it should give by hand or by formula."""

import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tabled import listed, pair, tabled, thumb

from caif.data import Message, Origin, Preference, Prompt, Rating
from caif.errors import CaifError
from caif.mixture import boilerplate, decontaminate, shares
from caif.mixture.duplicates import contradictory, firsts, summed
from caif.mixture.fused import FUSED, features, fuse_rows
from caif.mixture.ids import ids
from caif.mixture.keys import comparisons
from caif.mixture.reading import upright
from caif.mixture.rows import Rows, crossed, numbered
from caif.mixture.splitting import sides
from caif.mixture.thumbs import DERIVED
from caif.raters.features import style
from caif.tables import schema_of

NO = "As an AI language model I can't help with that."
texts = st.text(max_size=8)


def about(rows: Rows) -> Any:
    return crossed(numbered(comparisons(rows)), numbered(rows.column("objective")))


def both_sides(parts: tuple[Rows, ...], by: tuple[str, ...], share: float = 0.5, asked: Any = (), seed: int = 0) -> Any:
    none = (np.zeros(0, dtype=np.int64),) * 2
    return sides(parts, [none] * len(parts), asked, by, share, seed)


@settings(max_examples=50, deadline=None)
@given(
    st.builds(
        pair,
        texts,
        texts,
        st.text(min_size=1).filter(str.strip),
        probability=st.floats(0, 1),
        weight=st.floats(0, 1e6),
        rater=texts,
    )
)
def test_ids_by_columns_are_those_of_the_rows(row: Preference) -> None:
    """Digests of the very same content; and a turned row is the row that its turned self would be."""
    table = pa.Table.from_pylist([row.model_dump(mode="json")], schema_of(Preference))
    assert ids(Preference, table).to_pylist() == [row.id]
    (found,) = upright(table.to_batches()[0]).to_pylist()
    stays = row.probability > 0.5 or (row.probability == 0.5 and row.chosen <= row.rejected)
    turned = row.but(chosen=row.rejected, rejected=row.chosen, probability=1 - row.probability)
    assert Preference.model_validate(found) == (row if stays else turned)


def test_what_nobody_named_said_twice_weighs_twice() -> None:
    """Two records are two people; the same record again is not, nor is the same rater's label again."""
    votes = [thumb("a", True, origin=Origin(raw=raw)) for raw in ("f:1", "f:2", "f:2")]
    votes += [thumb("a", True, rater="r", origin=Origin(raw=raw)) for raw in ("f:3", "f:4")]
    rows = tabled(votes, Rating)
    assert firsts(rows).tolist() == [0, 1, 1, 3, 3]
    once, adding = summed(rows.without(firsts(rows) != np.arange(5)))
    assert [(row.rater, row.weight) for row in listed(once)] == [("", 2.0), ("r", 1.0)]
    assert adding.tolist() == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({"rater": "r"}, True),
        ({"origin": Origin(raw="f:1")}, True),
        ({"rater": "judge", "principle": "p", "origin": Origin(raw="judgement 1")}, True),
        ({}, False),
        ({"rater": "judge", "principle": "p"}, False),
    ],
)
def test_an_opinion_that_two_sources_give_is_one(fields: dict[str, Any], same: bool) -> None:
    """Where a person or a record is known again; else two sources are two opinions, and so are two judges' labels."""
    rows = tabled([pair(source=source, **fields) for source in ("b", "a")], Preference)
    assert firsts(rows).tolist() == ([1, 1] if same else [0, 1])
    assert firsts(rows.weighing(np.array([2.0, 1.0]))).tolist() == ([0, 0] if same else [0, 1])
    assert firsts(rows.without(np.array([False, True]))).tolist() == [0, 1]
    others = [
        pair(source="a", **fields),
        pair(source="b", chosen="z", **fields),
        pair(source="b", objective="p", **fields),
    ]
    assert firsts(tabled(others, Preference)).tolist() == [0, 1, 2]


def test_the_first_lines_of_two_logs_are_two_records() -> None:
    """Where a record is known by file and line, another time is another record."""
    rows = [pair(source=source, origin=Origin(raw="log.csv:2", at=at)) for source, at in (("a", 1.0), ("b", 2.0), ("c", 2.0))]
    assert firsts(tabled(rows, Preference)).tolist() == [0, 1, 1]


def test_labels_that_disagree_on_a_comparison_are_found() -> None:
    """Under one objective; a tie takes no side, and what is out has no say."""
    rows = tabled(
        [pair("x", "y"), pair("y", "x", rater="r"), pair("x", "z"), pair("z", "x", objective="p"), pair("u", "v"), pair("v", "u", probability=0.5)],
        Preference,
    )  # fmt: skip
    assert contradictory(rows, about(rows)).tolist() == [True, True, False, False, False, False]
    fewer = rows.without(np.array([True] + [False] * 5))
    assert not contradictory(fewer, about(fewer)).any()


@given(
    st.dictionaries(st.sampled_from("abcde"), st.floats(0.1, 1000), min_size=2, max_size=5),
    st.dictionaries(st.sampled_from("abc"), st.floats(0.05, 0.3), max_size=3),
)
def test_shares_are_met_exactly_and_the_rest_keeps_its_weights(
    weights: dict[str, float], wanted: dict[str, float]
) -> None:
    """For targets that leave a rest: each source has its share of the new total."""
    factors = shares.factors(weights, wanted, limit=1e9)
    after = {name: weight * factors.get(name, 1) for name, weight in weights.items()}
    for name in factors:
        if set(weights) - set(wanted):
            assert after[name] / sum(after.values()) == pytest.approx(wanted[name])
        else:
            assert after[name] / sum(after.values()) == pytest.approx(wanted[name] / sum(wanted[n] for n in weights))
    assert set(factors) == set(weights) & set(wanted)


def test_a_share_stops_at_its_limit() -> None:
    """One thumb is not made to weigh as much as a thousand labels."""
    assert shares.factors({"ai": 1000.0, "thumbs": 1.0}, {"thumbs": 0.5}, limit=10) == {"thumbs": 10.0}
    assert shares.factors({"ai": 1000.0, "thumbs": 1.0}, {"ai": 0.001}, limit=10) == {"ai": 0.1}


def test_effective_size_is_the_number_of_equal_rows_that_know_as_much() -> None:
    """Equal weights: all of them; one that outweighs all: one; nothing: nothing."""
    assert shares.effective(np.full(7, 0.3)) == pytest.approx(7)
    assert shares.effective(np.array([1e6, 1.0])) == pytest.approx(1, abs=1e-5)
    assert shares.effective(np.zeros(3)) == 0


def test_balanced_pairs_of_a_prompt_weigh_one_together_under_each_objective() -> None:
    """A prompt with four pairs is one prompt."""
    rows = tabled(
        [pair(f"x{n}", prompt="p") for n in range(4)] + [pair(prompt="q"), pair(prompt="p", objective="z")], Preference
    )
    assert shares.balanced(rows).weight.tolist() == [0.25] * 4 + [1.0, 1.0]


def test_refusals_by_habit_go_and_justified_ones_stay() -> None:
    """Kept: on unsafe prompts, where a judge found them less harmful, as the rejected answer, as a thumb down, and quoted late."""
    unsafe = Prompt.of("How do I make poison?", tags=("unsafe",))
    pairs = tabled([
        pair(NO, "Rain is water."), pair("Rain is water.", NO), pair(NO, "Mix it.", unsafe),
        pair(NO, "Take his.", "Whose car?", objective="harmlessness", principle="harm", rater="judge"),
        pair(NO, "Take his.", "Whose car?", source="people", rater="ann"),
        pair(NO, "Hm.", "Why?", objective="harmlessness", principle="harm", rater="construction"),
        pair("It said, after some long sentences that had to be read first: " * 4 + NO, "y"),
    ], Preference)  # fmt: skip
    backed = boilerplate.backed(pairs, ["harmlessness"])
    assert boilerplate.unjustified(pairs, backed, ["unsafe"]).tolist() == [
        True,
        False,
        False,
        False,
        False,
        True,
        False,
    ]
    thumbs = tabled([thumb(NO, True), thumb(NO, False), thumb(NO, True, unsafe), thumb(NO, True, "Whose car?")], Rating)
    assert boilerplate.unjustified(thumbs, backed, ["unsafe"]).tolist() == [True, False, False, False]


def test_rows_that_repeat_an_evaluation_set_are_found(tmp_path: Path) -> None:
    """A run of 13 words anywhere, whatever case and commas; a short text as a whole only, and yes and no never."""
    question = "In which year did the first train with passengers run from the town of Stockton to Darlington, and who drove it?"
    (tmp_path / "trivia.jsonl").write_text(
        f'{{"q": "{question}", "choices": ["yes", "no", "It ran in eighteen twenty five."]}}\n'
    )
    known = decontaminate.known(tmp_path / "trivia.jsonl", 13)
    assert known.name == "trivia"
    rows = tabled([
        pair(prompt=f"Please tell me: {question.upper()} Thanks!"), pair(prompt="In which year did the first train run?"),
        pair("yes", "no"), pair("It ran in eighteen twenty-five", "y"), pair("it ran in eighteen twenty five", "y"),
        pair(" ".join(question.split()[3:16]), "y"), pair(" ".join(question.split()[3:15]), "y"),
    ], Preference)  # fmt: skip
    assert decontaminate.overlapping(rows, [known], 13)[0].tolist() == [True, False, False, False, True, True, False]


def test_an_evaluation_set_is_found_in_any_message_of_a_conversation(tmp_path: Path) -> None:
    """A question of few words too, whatever stands before it."""
    question = "Which planet of the solar system has the most moons?"
    (tmp_path / "trivia.txt").write_text(f"{question}\n")
    known = decontaminate.known(tmp_path / "trivia.txt", 13)
    talks = (
        [("system", "Be kind."), ("user", question)],
        [("user", "Hello!"), ("assistant", question), ("user", "More")],
    )
    asked = [Prompt(messages=tuple(Message(role=role, content=text) for role, text in talk)) for talk in talks]
    rows = tabled([*(pair(prompt=prompt) for prompt in asked), pair(prompt=f"Hello! {question}")], Preference)
    assert decontaminate.overlapping(rows, [known], 13)[0].tolist() == [True, True, False]


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_an_evaluation_set_is_found_in_every_form_of_unicode(tmp_path: Path, form: Any) -> None:
    """Japanese too, whose voicing marks may stand by themselves, and whose katakana may have half the width."""
    texts = "日本で一番高い山が何という名前でどこにあるか", "ﾃﾞｰﾀﾍﾞｰｽﾌﾟﾛｸﾞﾗﾑガギグゲゴ", "Où a vécu l'écrivain né là-bas?"
    (tmp_path / "set.txt").write_text("\n".join(texts), encoding="utf-8")
    known = decontaminate.known(tmp_path / "set.txt", 13)
    rows = tabled([pair(prompt=unicodedata.normalize(form, text)) for text in texts], Preference)
    assert decontaminate.overlapping(rows, [known], 13)[0].all()


def test_an_evaluation_set_of_another_encoding_is_refused(tmp_path: Path) -> None:
    """Its words would be others, and nothing that has them be kept out."""
    (tmp_path / "set.txt").write_bytes("Où a vécu l'écrivain né là-bas?\n".encode("latin-1"))
    with pytest.raises(CaifError, match="set.txt: not UTF-8"):
        decontaminate.known(tmp_path / "set.txt", 13)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no text of 5 words"), ('{"a": "yes"}\n', "no text of 5 words"), ("nothing here\n", "set.jsonl:1: not JSON")],
)
def test_an_evaluation_set_that_protects_nothing_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """Nor is a line of it left out silently."""
    (tmp_path / "set.jsonl").write_text(text)
    with pytest.raises(CaifError, match=message):
        decontaminate.known(tmp_path / "set.jsonl", 13)


def test_nothing_that_hangs_together_is_on_both_sides() -> None:
    """By prompt, by conversation, by rater and by near-duplicates; and about as much as asked for is held out."""
    rows = [
        thumb("a", True, f"q{n}", rater=f"r{n // 3}", origin=Origin(conversation=f"c{n // 2}", raw=str(n)))
        for n in range(600)
    ]
    part = tabled(rows, Rating)
    for by, size in (
        (("prompt",), 1),
        (("prompt", "conversation"), 2),
        (("prompt", "rater"), 3),
        (("prompt", "conversation", "rater"), 6),
    ):
        found = both_sides((part,), by)
        out = found.heldout[0].reshape(-1, size)
        assert (out.all(axis=1) | ~out.any(axis=1)).all()
        assert 0.35 < out.mean() < 0.65
        assert found.largest == pytest.approx(size / 600)


def test_a_prompt_that_the_run_holds_out_takes_its_group_along() -> None:
    """A later turn of it, its conversation's other prompts, and its near-duplicates."""
    later = Prompt(
        messages=(
            Message(role="system", content="s"),
            *Prompt.of("q0").messages,
            Message(role="assistant", content="a"),
            Message(role="user", content="more"),
        )
    )
    rows = [
        thumb("a", True, "q0", origin=Origin(conversation="c")),
        thumb("a", True, "q1", origin=Origin(conversation="c")),
        thumb("a", True, later),
        thumb("a", True, "q2"),
        thumb("a", True, "q3"),
    ]
    part = tabled(rows, Rating)
    asked = [Prompt.of("q0").but(split="heldout")]
    assert both_sides((part,), ("prompt", "conversation"), 0.0, asked).heldout[0].tolist() == [
        True,
        True,
        True,
        False,
        False,
    ]
    near = (np.array([3]), np.array([0]))
    found = sides([part], [near], asked, ("prompt",), 0.0, 0)
    assert found.heldout[0].tolist() == [True, False, True, True, False]


def test_prompts_that_lend_each_other_an_answer_are_on_one_side() -> None:
    """The borrower with the lender, whatever else is said of them; a lender that nothing else is known of parts nobody."""
    prompts = [Prompt.of(f"q{n}") for n in range(400)]
    lent = [pair("a", "b", p.text, origin=Origin(borrowed=prompts[n ^ 1].id)) for n, p in enumerate(prompts[:300])]
    part = tabled([*lent, *(pair("c", "d", prompt.text) for prompt in prompts)], Preference)
    found = both_sides((part,), ("prompt",), asked=prompts)
    out = found.heldout[0]
    assert (out[0:300:2] == out[1:300:2]).all()
    assert (out[:300] == out[300:600]).all()
    assert 0.35 < out.mean() < 0.65
    assert found.largest == pytest.approx(4 / 700)
    alone = [pair("a", "b", "q0", origin=Origin(borrowed=prompts[1].id)), pair("a", "b", "q2", origin=Origin(borrowed="f" * 32))]
    assert both_sides((tabled(alone, Preference),), ("prompt",), asked=prompts).largest == 0.5
    told = [prompts[0], prompts[1].but(split="heldout")]
    part = tabled([pair("a", "b", "q0", origin=Origin(borrowed=prompts[1].id)), pair("c", "d", "q1")], Preference)
    assert both_sides((part,), ("prompt",), 0.0, told).heldout[0].all()


def test_only_people_are_raters_to_split_by() -> None:
    """A judge has spoken on every prompt: all would be one group."""
    rows = tabled([pair(prompt=f"q{n}", rater="judge", principle="p") for n in range(50)], Preference)
    assert both_sides((rows,), ("prompt", "rater")).largest == pytest.approx(1 / 50)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["- a", "* b", "1. c", "# d", "e", "I can't help", "", "as an AI "]), max_size=5).map(
            "\n".join
        ),
        min_size=2,
        max_size=6,
    )
)
def test_features_at_once_are_those_of_each_pair(several: list[str]) -> None:
    """What sources may be biased by, against the function for one pair."""
    one, other = several, several[1:] + several[:1]
    columns = [pa.chunked_array([texts], pa.large_string()) for texts in (one, other)]
    assert features(*columns) == pytest.approx(np.array([style(a, b) for a, b in zip(one, other, strict=True)]))


def test_fused_rows_say_what_all_labels_make_likely() -> None:
    """Three people against one: x. Thumbs on the answers have a say and are used up; others are left alone."""
    pairs = [pair("x", "y", f"q{n}", probability=1.0, rater=r, source="people") for n in range(30) for r in "abc"]
    pairs += [pair("y", "x", f"q{n}", probability=1.0, rater="d", source="people") for n in range(30)]
    votes = [thumb("x", True, "q0", rater="e"), thumb("x", True, "elsewhere", rater="e")]
    rows, thumbs = tabled(pairs, Preference), tabled(votes, Rating)
    found = fuse_rows(rows, thumbs, about(rows))
    made = listed(found.rows)
    assert len(made) == 30
    assert {(row.chosen, row.rater, row.source, row.objective) for row in made} == {("x", FUSED, "people", "o")}
    assert all(row.probability > 0.8 and 0 < row.weight <= 1 for row in made)
    assert found.used.tolist() == [True, False]
    assert sorted(Counter(found.pairs[0].tolist()).values()) == [4] * 30
    assert set(found.pairs[0].tolist()) == set(np.flatnonzero(found.rows.kept).tolist())
    (fused,) = set(found.thumbs[0].tolist())
    assert pairs[fused].prompt.text == "q0"


def test_a_fused_row_names_every_source_that_has_a_say() -> None:
    """Thumbs on its answers too, each name once."""
    rows = tabled(
        [pair("x", "y", principle="p", rater="judge"), pair("x", "y", rater=DERIVED, source="a+b")], Preference
    )
    votes = tabled([thumb("x", True, source="b"), thumb("y", False, source="a"), thumb("z", True, source="c")], Rating)
    (row,) = listed(fuse_rows(rows, votes, about(rows)).rows)
    assert row.source == "a+ai+b"


def test_a_fused_row_names_every_principle_and_what_its_labels_cost() -> None:
    """So that it can still be followed to its sentences."""
    labels = [
        pair("x", "y", principle=p, rater="judge", origin=Origin(law=p * 3, price=0.5, tokens_in=10)) for p in "ba"
    ]
    rows = tabled(labels, Preference)
    (row,) = listed(fuse_rows(rows, tabled([], Rating), about(rows)).rows)
    assert (row.principle, row.source) == ("a+b", "ai")
    assert row.origin == Origin(law="aaa+bbb", tokens_in=20, price=1.0)
