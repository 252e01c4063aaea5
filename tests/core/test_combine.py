"""All feedback in one data set: thumbs become pairs without loss or invention, and order changes nothing (METHODS 4.7)."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fakes import PROMPT, run_with, stage

from caif.config import Combine, Prompts, Source
from caif.content import Row
from caif.data import Message, Preference, Prompt, Rating
from caif.errors import FAILED, CaifError
from caif.run import Tell
from caif.stages.combine import combine
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
