"""All feedback in one data set: thumbs become pairs without loss or invention, and order changes nothing (METHODS 4.7)."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from fakes import FAKE, PROMPT, run_with, stage
from pydantic import ValidationError

from caif.config import Combine, Prompts, Sft, Source
from caif.content import Row
from caif.data import Message, Origin, Preference, Prompt, Rating, Rejected
from caif.errors import FAILED, CaifError
from caif.run import Tell
from caif.stages.combine import combine
from caif.stages.sft import sft
from caif.store import Artifact


def thumb(completion: str, up: bool, prompt: Prompt = PROMPT, **fields: Any) -> Rating:
    return Rating(
        **{"prompt": prompt, "completion": completion, "up": up, "objective": "o", "source": "people"} | fields
    )


def pair(n: int, probability: float = 0.8, **fields: Any) -> Preference:
    about = {
        "prompt": Prompt.of(f"p{n}"),
        "chosen": "x",
        "rejected": "y",
        "probability": probability,
        "objective": "o",
        "source": "ai",
    }
    return Preference(**about | fields)


def ids(rows: Any) -> set[str]:
    return {row.id for row in rows}


def mixed(
    home: Path,
    sources: dict[str, list[Row]],
    asked: list[Prompt] | None = None,
    tell: Tell | None = None,
    **options: Any,
) -> Artifact:
    """Run the stage for real on sources with these rows."""
    run = run_with(home, feedback=[Source(use="thumbs", name=name) for name in sources] or (), seed=3)
    if tell:
        run.tell = tell
    prompts = run.build(stage("prompts", asked or [PROMPT]), cfg=Prompts(use="jsonl", options={}))
    feedback = [run.build(stage("collect", rows), cfg=Combine(), name=name) for name, rows in sources.items()]
    artifact = run.build(combine, prompts, *feedback, cfg=Combine(**options))
    assert artifact is not None
    return artifact


def test_weights_multiply_and_caps_cut_by_source(tmp_path: Path) -> None:
    """A source counts as much as it is given, and no more of its rows than its cap; what is cut is counted."""
    sources: dict[str, list[Row]] = {
        "ai": [pair(n) for n in range(20)],
        "people": [pair(n, source="people", weight=2.0) for n in range(5)],
    }
    made = mixed(tmp_path, sources, weights={"people": 3.0}, caps={"ai": 7})
    rows = made.rows(Preference)
    assert Counter(row.source for row in rows) == {"ai": 7, "people": 5}
    assert {row.weight for row in rows if row.source == "people"} == {6.0}
    assert {row.weight for row in rows if row.source == "ai"} == {1.0}
    assert made.counts["over the cap of ai"] == 13


def test_the_order_of_rows_and_sources_changes_nothing(tmp_path: Path) -> None:
    """Caps, limits, splits and pairs depend on content: shuffled inputs give the same set of rows in the same splits."""
    ai: list[Row] = [pair(n, chosen=f"x{k}") for n in range(4) for k in range(6)]
    people: list[Row] = [thumb(text, text < "c", Prompt.of(f"p{n}")) for n in range(4) for text in "abcd"]
    shuffled = random.Random(0).sample(ai, len(ai)), random.Random(1).sample(people, len(people))
    options: dict[str, Any] = {"caps": {"ai": 15}, "per_prompt": 3}
    one = mixed(tmp_path / "1", {"ai": ai, "people": people}, **options)
    other = mixed(tmp_path / "2", {"people": shuffled[1], "ai": shuffled[0]}, **options)
    for kind in (Preference, Rating):
        assert {(r.id, r.prompt.split) for r in one.rows(kind)} == {(r.id, r.prompt.split) for r in other.rows(kind)}
    assert max(Counter(row.prompt.id for row in one.rows(Preference)).values()) == 3


def test_the_same_opinion_is_one_row_however_it_was_written_down(tmp_path: Path) -> None:
    """x over y at 0.8 is y over x at 0.2; the second is merged and counted. Two raters are two opinions."""
    rows: list[Row] = [pair(0, 0.75), pair(0, 0.25, chosen="y", rejected="x"), pair(0, 0.75, rater="r")]
    rows += [pair(1, 0.5), pair(1, 0.5, chosen="y", rejected="x")]
    made = mixed(tmp_path, {"ai": rows}, heldout=0.0)
    assert len(made.rows(Preference)) == 3
    assert made.counts["duplicate merged"] == 2
    assert all(row.probability >= 0.5 for row in made.rows(Preference))


def test_sources_that_overlap_count_no_person_twice(tmp_path: Path) -> None:
    """An export read twice, under two names: its pairs and thumbs stand once, and what left says for which row."""
    rows: list[Row] = [pair(n, rater="r") for n in range(3)] + [
        thumb("a", True, rater="r"),
        thumb("b", False, rater="s"),
    ]
    again = [row.but(source="again") for row in (*rows[1:], thumb("c", True, rater="r"))]
    made = mixed(tmp_path, {"again": again, "whole": rows}, heldout=0.0, contradictions="keep")
    alone = mixed(
        tmp_path / "alone", {"whole": [*rows, thumb("c", True, rater="r")]}, heldout=0.0, contradictions="keep"
    )
    said = [[(r.chosen, r.rejected, r.rater, r.weight) for r in one.rows(Preference)] for one in (made, alone)]
    assert sorted(said[0]) == sorted(said[1])
    left = [row for row in made.rows(Rejected) if row.reason == "the same opinion from another source"]
    assert {(row.where, row.detail) for row in left} == {(row.id, row.but(source="again").id) for row in rows[1:]}
    assert made.counts["the same opinion from another source"] == 4


def test_a_vote_that_came_twice_does_not_outvote_another(tmp_path: Path) -> None:
    """Up twice by one person and down by another is as many up as down: no pair is made of it."""
    votes: list[Row] = [thumb("a", True, rater="r")] * 2 + [thumb("a", False, rater="s"), thumb("b", False, rater="s")]
    made = mixed(tmp_path, {"people": votes}, heldout=0.0)
    assert not made.rows(Preference)
    assert made.counts["duplicate merged"] == 1


def test_a_tie_is_kept_for_caif_and_left_out_of_hard_pairs(tmp_path: Path) -> None:
    """TRL reads chosen and rejected as a hard label; one half would be a toss."""
    from datasets import load_from_disk

    made = mixed(tmp_path, {"ai": [pair(0), pair(1, 0.5)]}, heldout=0.0)
    assert len(made.rows(Preference)) == 2
    assert made.counts["ties left out of TRL's pairs"] == 1
    assert load_from_disk(str(made.folder / "preference"))["train"]["probability"] == [0.8]


def test_no_prompt_is_in_both_splits(tmp_path: Path) -> None:
    """METHODS (b) 10: rows on one prompt, whatever their source and kind, are all trained on or all held out."""
    ai: list[Row] = [pair(n, chosen=f"x{k}") for n in range(40) for k in range(3)]
    people: list[Row] = [thumb("a", True, Prompt.of(f"p{n}")) for n in range(40)]
    made = mixed(tmp_path, {"ai": ai, "people": people}, heldout=0.3)
    splits: dict[str, set[str]] = {}
    for row in [*made.rows(Preference), *made.rows(Rating)]:
        splits.setdefault(row.prompt.id, set()).add(row.prompt.split)
    assert all(len(some) == 1 for some in splits.values())
    assert {"train", "heldout"} == set.union(*splits.values())


def test_what_is_held_out_for_evaluation_stays_held_out_later_turns_too(tmp_path: Path) -> None:
    """A thumb on the third turn of a held-out conversation must not be trained on."""
    asked = [Prompt.of("q", source="file").but(split="heldout"), Prompt.of("r")]
    later = Prompt(
        messages=(*asked[0].messages, Message(role="assistant", content="yes"), Message(role="user", content="more"))
    )
    rows: list[Row] = [thumb("a", True, p) for p in (asked[0], later, asked[1])]
    made = mixed(tmp_path, {"people": rows}, asked, heldout=0.0)
    assert {row.prompt.messages[-1].content: row.prompt.split for row in made.rows(Rating)} == {
        "q": "heldout",
        "more": "heldout",
        "r": "train",
    }


@pytest.mark.parametrize("rows", [[], [pair(0, weight=0.0)]])
def test_nothing_to_train_on_is_said_and_fails(tmp_path: Path, rows: list[Row]) -> None:
    """Not an empty data set that trains without complaint."""
    with pytest.raises(CaifError, match="no row is left to train on") as caught:
        mixed(tmp_path, {"ai": rows})
    assert caught.value.code == FAILED


class Listening(Tell):
    """Keeps what a run warns of."""

    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        """Keep the line."""
        self.warned.append(text)


def test_thumbs_that_all_point_up_are_warned_of(tmp_path: Path) -> None:
    """RELIABILITY 26: a clear word, not a silent data set without pairs."""
    tell = Listening()
    mixed(tmp_path, {"people": [thumb(text, True) for text in "abc"]}, tell=tell, heldout=0.0)
    assert tell.warned == ["combine: all 3 thumbs point up, so no pair can be made of them"]


def evidence(made: Artifact) -> list[tuple[str, str, str]]:
    """Return what rows were made of."""
    return [tuple(row.values()) for row in pq.read_table(made.folder / "evidence.parquet").to_pylist()]  # type: ignore[misc]


ALIKE = [
    pair(
        0,
        chosen="the rain falls from dark clouds over the hills",
        rejected="it is water that the sun has lifted up before",
    ),
    pair(
        0,
        chosen="The rain falls, from dark clouds over the hills.",
        rejected="It is water that the sun has lifted up, before.",
    ),
    pair(0, chosen="nobody knows what it is", rejected="it is water that the sun has lifted up before"),
]


def test_near_duplicates_share_the_weight_of_one_and_are_listed(tmp_path: Path) -> None:
    """Nothing is lost by default; what shares with what can be looked up, and so can the row that each weighed one was."""
    made = mixed(tmp_path, {"ai": ALIKE}, heldout=0.0)
    assert sorted(row.weight for row in made.rows(Preference)) == [0.5, 0.5, 1.0]
    assert made.counts["near-duplicate: shares the weight of one"] == 1
    told = evidence(made)
    near = [(row, other) for row, other, how in told if how == "near-duplicate of"]
    assert len(near) == 1
    assert set(near[0]) == {ALIKE[0].id, ALIKE[1].id}
    weighed = {row: other for row, other, how in told if how == "weighed"}
    assert {weighed[row.id] for row in made.rows(Preference) if row.weight == 0.5} == {ALIKE[0].id, ALIKE[1].id}


def test_near_duplicates_can_be_dropped_and_each_says_for_what(tmp_path: Path) -> None:
    """One of the two stays, with its weight; the other is listed with the one that stayed."""
    made = mixed(tmp_path, {"ai": ALIKE}, heldout=0.0, near_duplicates="drop")
    kept = ids(made.rows(Preference))
    assert len(kept) == 2
    (gone,) = made.rows(Rejected)
    assert (gone.reason, {gone.where, gone.detail}) == ("near-duplicate", {ALIKE[0].id, ALIKE[1].id})
    assert gone.detail in kept
    assert made.metrics["flow"] == {"ai": {"pairs in": 3, "near-duplicate": 1}}


@pytest.mark.parametrize("policy", ["weight", "drop", "off"])
def test_thumbs_on_nearly_one_answer_keep_their_weight_and_are_on_one_side(tmp_path: Path, policy: str) -> None:
    """Each is what somebody said; but trained on the one, a model would know the other. Alone, half of them would part."""
    rows: list[Row] = []
    for n in range(30):
        asked, said = (" ".join(f"w{part}{n}x{k}" for k in range(12)) for part in ("a", "b"))  # one family's words alone
        for k, prompt in enumerate((asked, asked.upper() + "!")):
            rows.append(thumb(said + "." * k, up=bool(n % 2), prompt=Prompt.of(prompt), rater=f"{n}-{k}"))
    made = mixed(tmp_path, {"people": rows}, heldout=0.5, near_duplicates=policy, split_by=("prompt",))
    assert {row.weight for row in made.rows(Rating)} == {1.0}
    sides: dict[str, set[str]] = {}
    for row in made.rows(Rating):
        sides.setdefault(row.rater.split("-")[0], set()).add(row.prompt.split)
    assert (max(map(len, sides.values())) == 1) == (policy != "off")
    assert len(set.union(*sides.values())) == 2
    assert made.counts.get("near-duplicate: on the side of one", 0) == (0 if policy == "off" else 30)


def test_labels_of_one_comparison_are_no_near_duplicates(tmp_path: Path) -> None:
    """Two raters who agree are two opinions, not one twice."""
    made = mixed(
        tmp_path,
        {"ai": [ALIKE[0], ALIKE[0].but(rater="b"), ALIKE[0].but(rater="c")]},
        heldout=0.0,
        near_duplicates="drop",
    )
    assert len(made.rows(Preference)) == 3


def test_contradictory_labels_are_kept_set_aside_or_fused(tmp_path: Path) -> None:
    """By declared policy; what is set aside is listed, what is fused can be traced to every label behind it."""
    labels: list[Row] = [pair(n, rater=rater) for n in range(8) for rater in "ab"]
    labels += [pair(n, rater="c", chosen="y", rejected="x") for n in range(4)]
    assert len(mixed(tmp_path / "k", {"ai": labels}).rows(Preference)) == 20
    aside = mixed(tmp_path / "s", {"ai": labels}, contradictions="set_aside")
    assert len(aside.rows(Preference)) == 8
    assert Counter(row.reason for row in aside.rows(Rejected)) == {"labels of one comparison contradict each other": 12}
    fused = mixed(tmp_path / "f", {"ai": labels}, contradictions="fuse")
    rows = fused.rows(Preference)
    assert Counter((row.chosen, row.rater, row.source) for row in rows) == {("x", "fused", "ai"): 8}
    behind = Counter(row for row, _, how in evidence(fused) if how == "fused")
    assert sorted(behind.values()) == [2] * 4 + [3] * 4
    assert {other for _, other, how in evidence(fused) if how == "fused"} == ids(labels)


def test_thumbs_alone_are_fused_into_pairs_that_weigh_something(tmp_path: Path) -> None:
    """A pair made of thumbs is a comparison, and its thumbs are the labels: each counts once, and none stays behind."""
    votes: list[Row] = [
        thumb(text, text == "a", Prompt.of(f"p{n}"), rater=r) for n in range(12) for text in "ab" for r in "rst"
    ]
    made = mixed(tmp_path, {"people": votes}, heldout=0.0, contradictions="fuse")
    rows = made.rows(Preference)
    assert {(row.chosen, row.rejected, row.rater, row.source) for row in rows} == {("a", "b", "fused", "people")}
    assert all(row.probability > 0.8 and row.weight > 0.3 for row in rows)
    assert made.rows(Rating) == []
    told = evidence(made)
    assert {of for _, of, how in told if how == "fused"} >= ids(votes)


def test_a_pair_of_thumbs_can_be_traced_to_the_thumbs(tmp_path: Path) -> None:
    """And from there to the record they came from: the source's rows have it."""
    votes: list[Row] = [thumb("a", True, rater="1"), thumb("b", False, rater="2"), thumb("c", True, Prompt.of("else"))]
    made = mixed(tmp_path, {"people": votes}, heldout=0.0)
    (row,) = made.rows(Preference)
    assert {(to, of) for to, of, how in evidence(made) if how == "pair of thumbs"} == {
        (row.id, v.id) for v in votes[:2]
    }
    assert made.metrics["flow"]["people"] == {"thumbs in": 3, "thumbs in pairs": 2, "pairs from thumbs": 1}


def test_target_shares_are_met_and_a_limit_is_warned_of(tmp_path: Path) -> None:
    """Of the weight that is trained on; effective sizes say what the weights leave of the rows."""
    sources: dict[str, list[Row]] = {
        "ai": [pair(n) for n in range(40)],
        "people": [pair(n, source="people") for n in range(10)],
    }
    made = mixed(tmp_path / "1", sources, shares={"people": 0.5}, heldout=0.0)
    assert {row.weight for row in made.rows(Preference) if row.source == "people"} == {4.0}
    assert made.metrics["sources"]["people"]["effective"] == pytest.approx(10)
    assert made.metrics["effective"] == pytest.approx(80**2 / (40 + 160))
    tell = Listening()
    mixed(tmp_path / "2", sources, shares={"people": 0.5}, share_limit=2, heldout=0.0, tell=tell)
    assert tell.warned == ["combine: people has 33% of the weight, not 50%: no factor is over share_limit"]


def test_rows_of_an_evaluation_set_are_set_aside_by_its_name(tmp_path: Path) -> None:
    """Pairs and thumbs; the set's text is enough, in a file of any shape of JSON lines or of plain lines."""
    (tmp_path / "trivia.txt").write_text("What is the capital of France?\n")
    known = Prompt.of("what is the capital of france")
    rows: list[Row] = [pair(0), pair(1, prompt=known), thumb("a", True, known)]
    made = mixed(tmp_path, {"ai": rows}, evaluation_sets=[tmp_path / "trivia.txt"], heldout=0.0)
    assert made.counts["in evaluation set trivia"] == 2
    assert (len(made.rows(Preference)), len(made.rows(Rating))) == (1, 0)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("chosen", "z", "row 2: row id .* does not match its content"),
        (
            "prompt",
            Prompt.of("z").model_dump(mode="json") | {"id": Prompt.of("p1").id},
            "row 2: row id .* does not match",
        ),
        ("weight", -1.0, "row id|out of range"),
        (None, None, "holds 2 rows where 3 were written"),
        ("origin", None, "has other columns"),
    ],
)
def test_a_tampered_row_is_refused_by_its_number(tmp_path: Path, column: str | None, value: Any, message: str) -> None:
    """As where rows are read one by one: an edited text, another prompt under the old id, a row or a column less."""
    rows: list[Row] = [pair(n) for n in range(3)]
    run = run_with(tmp_path, feedback=[Source(use="thumbs", name="ai")])
    prompts = run.build(stage("prompts", [PROMPT]), cfg=Prompts(use="jsonl", options={}))
    source = run.build(stage("collect", rows), cfg=Combine(), name="ai")
    assert source is not None
    file = source.folder / "preference.parquet"
    table = pq.read_table(file)
    items = table.to_pylist()
    if column is None:
        pq.write_table(table.slice(0, 2), file)
    elif value is None:
        pq.write_table(table.drop_columns([column]), file)
    else:
        items[1][column] = value
        pq.write_table(type(table).from_pylist(items, table.schema), file)
    with pytest.raises(CaifError, match=message):
        run.build(combine, prompts, source, cfg=Combine())


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    """P6: every file of the artifact but its manifest, which holds the seconds."""
    ai: list[Row] = [pair(n, chosen=f"x{k}") for n in range(6) for k in range(3)]
    people: list[Row] = [thumb(text, text < "c", Prompt.of(f"p{n}"), rater="r") for n in range(6) for text in "abcd"]
    found = []
    for home in ("1", "2"):
        made = mixed(tmp_path / home, {"ai": ai, "people": people}, contradictions="fuse", split_by=["prompt", "rater"])
        files = {str(f.relative_to(made.folder)): f.read_bytes() for f in made.folder.rglob("*") if f.is_file()}
        found.append({name: content for name, content in files.items() if name != "artifact.json"})
    assert found[0] == found[1]
    assert "evidence.parquet" in found[0]


def test_one_rater_who_has_seen_all_leaves_no_split_and_that_is_said(tmp_path: Path) -> None:
    """Everything hangs together: not a silent split of nothing."""
    tell = Listening()
    votes: list[Row] = [thumb("a", n % 2 == 0, Prompt.of(f"q{n}"), rater="r") for n in range(10)]
    mixed(tmp_path, {"people": votes}, tell=tell, split_by=["prompt", "rater"], heldout=0.01)
    assert tell.warned == [
        "combine: 100% of the rows hang together by prompt, rater and are on one side; split by less"
    ]


def test_prompts_that_all_lend_each_other_answers_leave_no_split_and_that_is_said(tmp_path: Path) -> None:
    """Two sources that pair the prompts differently make one chain of them."""
    tell = Listening()
    prompts = [Prompt.of(f"q{n}") for n in range(10)]
    chain: list[Row] = [pair(n, prompt=prompts[n], origin=Origin(borrowed=prompts[n + 1].id)) for n in range(9)]
    mixed(tmp_path, {"lent": chain}, asked=prompts, tell=tell, heldout=0.01)
    assert tell.warned == [
        "combine: 100% of the rows hang together by prompt, borrowed answers and are on one side; "
        "have one source lend answers, to more prompts"
    ]


@pytest.mark.parametrize("contradictions", ["keep", "fuse"])
def test_a_fused_row_says_from_which_prompts_its_answers_are(tmp_path: Path, contradictions: str) -> None:
    """By which its training keeps them together, and so does a run that reads them from an export, without the prompts."""
    prompts = [Prompt.of(f"q{n}") for n in range(40)]
    by = {"one": 1, "two": 2}
    sources: dict[str, list[Row]] = {
        name: [
            pair(n, prompt=p, rater=name, origin=Origin(borrowed=prompts[n ^ bit].id)) for n, p in enumerate(prompts)
        ]
        for name, bit in by.items()
    }
    made = mixed(tmp_path, sources, asked=prompts, contradictions=contradictions, heldout=0.3)
    place = {p.id: n for n, p in enumerate(prompts)}
    lent = {(place[r.prompt.id], place[name]) for r in made.rows(Preference) for name in r.origin.borrowed.split("+")}
    assert lent == {(n, n ^ bit) for n in range(40) for bit in by.values()}
    again = mixed(tmp_path / "again", {"read": list(made.rows(Preference))}, heldout=0.3)
    for artifact in (made, again):
        sides = {place[r.prompt.id] // 4: set() for r in artifact.rows(Preference)}
        for row in artifact.rows(Preference):
            sides[place[row.prompt.id] // 4].add(row.prompt.split)
        assert all(len(side) == 1 for side in sides.values())
        assert {*map(frozenset, sides.values())} == {frozenset({"train"}), frozenset({"heldout"})}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shares": {"a": 0.7, "b": 0.7}}, "more than all"),
        ({"shares": {"a": 0.5}, "contradictions": "fuse"}, "a fused row is of several sources"),
        ({"split_by": ["rater"]}, "prompts never stand on both sides"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(options: dict[str, Any], message: str) -> None:
    """By the key that asks for it."""
    with pytest.raises(ValidationError, match=message):
        Combine(**options)


def test_preferences_are_not_taken_for_texts_to_imitate(tmp_path: Path) -> None:
    """The better of two answers need not be a good one: sft refuses a preference data set by name (METHODS, item 7)."""
    run = run_with(tmp_path, feedback=[Source(use="thumbs", name="ai")])
    source = run.build(stage("collect", [pair(0)]), cfg=Combine(), name="ai")
    with pytest.raises(CaifError, match="sft: ai holds preferences"):
        run.build(sft, source, cfg=Sft(model=FAKE))


def test_of_one_person_no_more_than_the_limit_counts(tmp_path: Path) -> None:
    """Pairs and thumbs each, over all sources; judges and who has no name are no person."""
    sources: dict[str, list[Row]] = {
        "ai": [pair(n, rater="judge", principle="p") for n in range(9)],
        "people": [pair(n, source="people", rater="ann") for n in range(10, 16)]
        + [pair(n, source="people", rater="bob") for n in range(20, 22)]
        + [pair(n, source="people") for n in range(30, 37)],
        "more": [pair(n, source="more", rater="ann") for n in range(40, 43)]
        + [thumb(str(n), True, rater="ann", source="more") for n in range(5)],
    }
    made = mixed(tmp_path, sources, per_rater=3, heldout=0.0)
    said = Counter(row.rater for row in made.rows(Preference))
    assert said == {"judge": 9, "ann": 3, "bob": 2, "": 7}
    assert len(made.rows(Rating)) == 3
    assert made.counts["over the limit of rows a rater"] == 6 + 2
    assert made.metrics["raters"] == 2


def test_a_row_of_two_sources_counts_for_both_by_half(tmp_path: Path) -> None:
    """Thumbs of one source against another's are of both, so a share that is asked for is met and nobody is warned."""
    sources: dict[str, list[Row]] = {
        "ai": [pair(n) for n in range(20)],
        "thumbs": [thumb("a", True, Prompt.of(f"q{n}"), source="thumbs", rater=f"r{n}") for n in range(4)],
        "votes": [thumb("b", False, Prompt.of(f"q{n}"), source="votes", rater=f"s{n}") for n in range(4)],
    }
    tell = Listening()
    made = mixed(tmp_path, sources, shares={"thumbs": 0.25}, heldout=0.0, tell=tell)
    assert {row.source for row in made.rows(Preference)} == {"ai", "thumbs+votes"}
    assert not any("thumbs has" in text for text in tell.warned)
    weight = {name: numbers["weight"] for name, numbers in made.metrics["sources"].items()}
    rest, mine = 20 + 2, made.metrics["factors"]["thumbs"] * 2  # half of four pairs are those of the votes
    assert mine / (rest + mine) == pytest.approx(0.25)
    assert sum(weight.values()) == pytest.approx(rest + mine)
    assert made.metrics["raters"] == 8
