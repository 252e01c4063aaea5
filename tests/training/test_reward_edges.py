"""What the reward stage says where there is little to learn from: nothing held out, no head, people who disagree."""

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from caif.config import ModelSpec, Reward
from caif.data import Preference, Prompt, Rating
from caif.errors import CaifError
from caif.run import Run
from caif.stages.reward import reward
from caif.store import Artifact

Make = Callable[..., Prompt]
SHORT, LONG = "short", "a much longer answer that goes on and on for a good while"


def pair(prompt: Prompt, probability: float = 1.0, **fields: object) -> Preference:
    given = {"chosen": SHORT, "rejected": LONG, "objective": "brevity", "source": "judge", "principle": "be-brief"}
    return Preference(prompt=prompt, probability=probability, **given | fields)  # type: ignore[arg-type]


def thumb(prompt: Prompt, up: bool, completion: str, **fields: object) -> Rating:
    return Rating(prompt=prompt, completion=completion, up=up, **{"objective": "warmth", "source": "app"} | fields)  # type: ignore[arg-type]


@pytest.fixture
def pairs(stored: Callable[..., Artifact], question: Make) -> Artifact:
    """A few pairs."""
    return stored("combine", [pair(question(n)) for n in range(6)])


def test_nothing_held_out_is_said(run: Run, stored: Callable[..., Artifact], question: Make, spec: ModelSpec) -> None:
    """Without held-out rows there is a model and a count of 0, and no accuracy that could mislead."""
    made = run.build(
        reward, stored("combine", [pair(question(n)) for n in range(6)]), cfg=Reward(model=spec, decay=0.1)
    )
    assert made.metrics["heldout"] == 0
    assert made.metrics["objectives"]["brevity"]["n"] == 0
    assert "accuracy" not in made.metrics["objectives"]["brevity"]
    assert made.metrics["reliability"] == []


def test_an_objective_without_training_rows_gets_no_head(
    run: Run, stored: Callable[..., Artifact], question: Make, spec: ModelSpec
) -> None:
    """Held-out rows alone, or rows of weight 0, make no head; what cannot be measured is counted."""
    rows = [pair(question(n)) for n in range(6)]
    rows += [pair(question(9, "heldout"), objective="honesty"), pair(question(8), objective="silence", weight=0.0)]
    made = run.build(reward, stored("combine", rows), cfg=Reward(model=spec, decay=0.1))
    assert list(made.metrics["objectives"]) == ["brevity"]
    assert made.counts == {"held out, but its objective has no head": 1}
    with pytest.raises(CaifError, match="no row is left to train on"):
        run.build(reward, stored("combine", rows[6:]), cfg=Reward(model=spec, decay=0.1))


def test_people_are_asked_for_no_more_than_they_agree_on(
    run: Run, stored: Callable[..., Artifact], question: Make, spec: ModelSpec
) -> None:
    """Two people on one comparison, written either way round, and on one answer; judges' labels are not people's."""
    rows = [pair(question(n)) for n in range(6)]
    ann = [pair(question(n), principle="", rater="ann", source="people") for n in range(4)]
    bob = [pair(question(n), principle="", rater="bob", source="people") for n in range(3)]
    bob += [pair(question(3), principle="", rater="bob", source="people", chosen=LONG, rejected=SHORT)]
    votes = [thumb(question(1), up, LONG, rater=who) for who, up in [("ann", True), ("bob", False)]]
    made = run.build(reward, stored("combine", [*rows, *ann, *bob], votes), cfg=Reward(model=spec, decay=0.1))
    assert made.metrics["people_agree"] == {"pairs": {"agreement": 0.75, "n": 4}, "thumbs": {"agreement": 0.0, "n": 1}}


def test_a_broken_trunk_is_refused(run: Run, pairs: Artifact, tiny: Path, tmp_path: Path) -> None:
    """Hidden states that are not finite never become a reward."""
    for file in tiny.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tiny / "model.safetensors")
    weights["model.norm.weight"][0] = float("inf")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CaifError, match="the largest hidden state of the trunk is"):
        run.build(reward, pairs, cfg=Reward(model=ModelSpec(use=f"hf:{tmp_path}")))
