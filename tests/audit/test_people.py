"""People's pairs are shown blind, and people's word finds its way to the judgement of the same answers."""

from pathlib import Path
from typing import Any

import pytest
from audit_fakes import LAW, judgement, pairs
from hypothesis import given
from hypothesis import strategies as st

from caif.audit.people import about, called, oriented, principles_for, read_pairs, to_ask
from caif.audit.runs import stored
from caif.data import Preference, Prompt, Rating, Rejected
from caif.errors import CaifError
from caif.store import Artifact, Store


def pair(better: str, worse: str, probability: float = 1.0, **fields: Any) -> Preference:
    return Preference(**{"prompt": Prompt.of("Why?"), "chosen": better, "rejected": worse, "probability": probability,
                         "objective": "honesty", **fields})  # fmt: skip


@given(st.text(min_size=1), st.text(min_size=1), st.integers())
def test_the_order_shown_does_not_know_which_answer_is_better(one: str, other: str, seed: int) -> None:
    """Whoever was preferred, the same answer is a; and what people said stays with the answer they said it of."""
    if one == other:
        return
    try:
        (c, first), (d, second) = oriented(pair(one, other), seed), oriented(pair(other, one), seed)
    except ValueError:  # half a surrogate pair
        return
    assert c == d and {first, second} == {0, 1}
    assert (c.a, c.b)[first] == one and (c.a, c.b)[second] == other
    assert oriented(pair(other, one, 0.2), seed) == (c, first)
    assert oriented(pair(one, other, 0.5), seed)[1] == 2


def test_the_better_answer_is_a_half_of_the_time() -> None:
    """Though it always stands first in the file."""
    read = read_pairs(pairs(400), 0)
    first = sum(p.people == (0,) for p in read.pairs)
    assert 160 < first < 240
    assert [p.comparison.a for p in read.pairs] != [p.comparison.a for p in read_pairs(pairs(400), 1).pairs]


def test_rows_on_one_pair_are_raters_of_it() -> None:
    """Named raters count once, with their last word; the order in the file does not matter otherwise."""
    rows = [
        pair("x", "y", rater="ann"), pair("y", "x", rater="bob"), pair("y", "x", rater="ann"), pair("x", "y"), pair("x", "y", 0.5),
        pair("x", "z"), Rejected(where="f:1", reason="not JSON"),
        Rating(prompt=Prompt.of("Why?"), completion="x", up=True, objective="honesty"),
    ]  # fmt: skip
    read = read_pairs(rows, 0)
    by_size = sorted(read.pairs, key=lambda p: len(p.people))
    assert [len(p.people) for p in by_size] == [1, 4]
    c, said = by_size[1].comparison, by_size[1].people
    x = 0 if c.a == "x" else 1
    assert sorted(said) == sorted([1 - x, 1 - x, x, 2])
    assert read.rejected == {"not JSON": 1, "a thumb, not a pair": 1}
    assert about(read) == {"pairs": 2, "prompts": 1, "raters_per_pair": {"1": 1, "4": 1}, "objectives": ["honesty"],
                           "rejected": read.rejected}  # fmt: skip


def test_a_limit_draws_and_more_of_it_draws_more() -> None:
    """The first 10 of 20 are drawn, not read off the top, and stay when the limit grows."""
    rows = pairs(50)
    ten, twenty = read_pairs(rows, 0, 10).pairs, read_pairs(rows, 0, 20).pairs
    assert twenty[:10] == ten
    assert {p.comparison.prompt.text for p in ten} != {row.prompt.text for row in rows[:10]}
    assert read_pairs(rows[::-1], 0, 10).pairs == ten


def test_principles_are_those_of_the_pairs_objective_or_the_named_ones() -> None:
    """And each judges only the prompts that it applies to."""
    read = read_pairs(pairs(3), 0)
    assert [p.id for p in principles_for(LAW, read.pairs)] == ["true"]
    assert [p.id for p in principles_for(LAW, read.pairs, ["short"])] == ["short"]
    tagged = LAW.principles[0].model_copy(update={"applies_to": ("chemistry",)})
    assert to_ask(read.pairs, [tagged]) == []
    assert len(to_ask(read.pairs, LAW.principles)) == 6


def test_files_are_called_by_their_names_alone() -> None:
    """A card goes to others, whom our folders do not concern; two files of one name keep theirs."""
    assert called(["hh-rlhf:/home/me/pairs.jsonl", "icai:x.csv"]) == {
        "hh-rlhf:/home/me/pairs.jsonl": "hh-rlhf:pairs.jsonl", "icai:x.csv": "icai:x.csv",
    }  # fmt: skip
    assert list(called(["caif:a/x.jsonl", "caif:b/x.jsonl"]).values()) == ["caif:a/x.jsonl", "caif:b/x.jsonl"]


def test_a_runs_judgements_find_what_people_said_of_the_same_answers(tmp_path: Path) -> None:
    """Pairs in either order, opposite thumbs, nothing under another objective; sources without a judge are not audited."""
    judged = [
        judgement("a", a="one", b="two"), judgement("a", a="one", b="two", objective="brevity"),
        judgement("b", a="up", b="down"), judgement("a", a="never", b="seen"),
    ]  # fmt: skip
    peoples = [pair("two", "one", rater="ann"), pair("one", "two", rater="bob")]
    thumbs = [Rating(prompt=Prompt.of("Why?"), completion=text, up=text == "up", objective="honesty") for text in ("up", "down")]
    labels = [pair("one", "two", 0.8, principle="true", rater="fake:judge")]
    artifacts = [_artifact(tmp_path, "labeler", judged, labels), _artifact(tmp_path, "people", peoples, thumbs)]
    found, pairs_, _ = stored(artifacts)
    said = {(e.judgement.comparison.a, e.judgement.objective): sorted(e.people) for e in found}
    assert said == {("one", "honesty"): [0, 1], ("one", "brevity"): [], ("up", "honesty"): [0], ("never", "honesty"): []}
    assert [len(p.people) for p in pairs_] == [2]
    assert len(stored(artifacts, "labeler")[0]) == 4
    with pytest.raises(CaifError, match="did you mean 'labeler'"):
        stored(artifacts, "labelr")
    with pytest.raises(CaifError, match="no judgements"):
        stored(artifacts[1:])


def _artifact(home: Path, name: str, *kinds: list[Any]) -> Artifact:
    store = Store(home)
    draft = store.draft(name, name * 4)
    for rows in kinds:
        draft.write(rows, type(rows[0]))
    return store.finish(draft, {"stage": name, "by": "collect", "key": name * 4, "counts": draft.counts, "metrics": {}})
