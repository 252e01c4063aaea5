"""The head that reads the principle: under the contrary text it says the contrary, also on prompts it never saw."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from caif.config import ModelSpec, Reward
from caif.constitution import FILE, Constitution
from caif.data import Preference, Prompt
from caif.errors import CaifError
from caif.run import Run, Tell
from caif.stages.reward import reward
from caif.store import Artifact
from caif.training.examples import Examples, read_examples
from caif.training.fitting import fit_model
from caif.training.heads import Shape
from caif.training.instructed import Instructed, axes_of, fit_instructed, score_under
from caif.training.reward_model import RewardModel
from caif.training.scorers import scorer
from caif.training.trunk import Trunk

TEXTS = {"brief": "Choose the shorter answer.", "full": "Choose the longer answer."}
SHORT, LONG = "it rains", "it rains here, and it has been raining for days on end"


@pytest.fixture(scope="module")
def fitted(tiny: Path, question: Callable[..., Prompt]) -> tuple[RewardModel, Examples]:
    """A reward model of pairs on which two principles contradict each other; every third prompt is held out."""
    spec = ModelSpec(use=f"hf:{tiny}")
    rows = [
        Preference(
            prompt=question(n, "heldout" if n % 3 == 0 else "train"), chosen=SHORT, rejected=LONG,
            probability=0.9 if name == "brief" else 0.1, objective="quality", principle=name,
        )
        for n in range(18)
        for name in TEXTS
    ]  # fmt: skip
    trunk = Trunk.load(str(tiny))
    found = read_examples(trunk.tokenizer, rows, 1024, 0)
    return fit_model(trunk, found, Reward(model=spec, decay=0.1), 0, Tell())[0], found


def test_it_must_read_the_principle(
    fitted: tuple[RewardModel, Examples], question: Callable[..., Prompt], tmp_path: Path
) -> None:
    """One plain head cannot serve both; this one is right under its own principle and wrong under the other, as it should."""
    model, found = fitted
    made = fit_instructed(model, found, TEXTS, 0.1, Shape())
    assert made is not None
    head, worth = made
    assert worth == {"principles": 2, "n": 12, "accuracy": 1.0, "under_others": 0.0}
    plain = model.scores([question(0)] * 2, [SHORT, LONG])
    assert float((plain[0] - plain[1]).abs()) < 0.1
    head.save(tmp_path)
    again = Instructed.load(tmp_path)
    for text, better in ((TEXTS["brief"], 0), (TEXTS["full"], 1), ("Choose the shorter answer, please.", 0)):
        scores = score_under(model, again, text, [model.encode(question(0), answer) for answer in (SHORT, LONG)])
        assert int(scores.argmax()) == better, text
        model.save(tmp_path)
        by_name = scorer(tmp_path, principle=text).scores([question(0)] * 2, [SHORT, LONG])
        assert [row and row[0] for row in by_name] == pytest.approx(scores.tolist(), abs=1e-4)


def test_one_principle_alone_needs_no_reading(fitted: tuple[RewardModel, Examples]) -> None:
    """There is nothing to tell apart, so there is no such head; nor where the texts are not known."""
    model, found = fitted
    assert fit_instructed(model, found, {"brief": TEXTS["brief"]}, 0.1, Shape()) is None


def test_directions_are_of_unit_spread_and_of_what_differs_alone() -> None:
    """Three principles in a plane have two directions; what all share is no direction."""
    known = torch.tensor([[1.0, 5.0, 0.0], [-1.0, 5.0, 0.0], [0.0, 5.0, 3.0]])
    axes, centre = axes_of(known)
    read = (known - centre) @ axes.T
    assert axes.shape == (2, 3)
    assert torch.allclose((read**2).mean(0), torch.ones(2), atol=1e-5)
    assert torch.allclose(axes[:, 1], torch.zeros(2), atol=1e-6)


def test_the_stage_keeps_it_and_says_what_it_is_worth(
    run: Run, stored: Callable[..., Artifact], question: Callable[..., Prompt], spec: ModelSpec, tmp_path: Path
) -> None:
    """From the constitution's own wording to the card; without a constitution, or with one principle, it is refused."""
    asked = {"critique": "c", "revision": "r", "objective": "quality"}
    law = Constitution.model_validate({
        "name": "law", "version": "1", "objectives": {"quality": "q"},
        "principles": [{"id": name, "compare": text, **asked} for name, text in TEXTS.items()],
    })  # fmt: skip
    (tmp_path / FILE).write_text(law.model_dump_json())
    rows = [
        Preference(
            prompt=question(n), chosen=SHORT, rejected=LONG, probability=0.9 if name == "brief" else 0.1,
            objective="quality", principle=name,
        )
        for n in range(4)
        for name in TEXTS
    ]  # fmt: skip
    cfg = Reward(model=spec, decay=0.1, instructed=True)
    made = run.build(reward, stored("combine", rows), Artifact(tmp_path, {"key": "law"}), cfg=cfg)
    assert (made.model / "instructed.safetensors").is_file()
    assert made.metrics["card"]["instructed"] == {"principles": 2, "n": 0, "accuracy": None, "under_others": None}
    assert "no pair of its principles is held out" in (made.folder / "reward_card.html").read_text(encoding="utf-8")
    with pytest.raises(CaifError, match="gives the reward model no constitution"):
        run.build(reward, stored("combine", rows), cfg=cfg)
    with pytest.raises(CaifError, match="no two principles"):
        run.build(reward, stored("combine", rows[::2]), Artifact(tmp_path, {"key": "law"}), cfg=cfg)
