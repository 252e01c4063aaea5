"""Options of the reward model: ensembles that are cautious where members differ, and heads that length does not please."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from caif.config import ModelSpec, Reward
from caif.data import Preference, Prompt, Rating
from caif.run import Run, Tell
from caif.stages.reward import reward
from caif.store import Artifact
from caif.training.examples import read_examples
from caif.training.fitting import fit_model
from caif.training.length import length_slopes
from caif.training.reward_model import RewardModel
from caif.training.trunk import Trunk
from caif.training.tuned_members import redrawn

Make = Callable[..., Prompt]


@pytest.fixture(scope="module")
def pairs(question: Make) -> list[Preference]:
    """Longer is mostly preferred; answers differ in other ways as well."""
    return [
        Preference(
            prompt=question(n), chosen="fine " * (3 + n % 5), rejected="bad " * (1 + n % 3), probability=0.8,
            objective="quality", source="judge",
        )
        for n in range(30)
    ]  # fmt: skip


def test_an_ensemble_scores_low_where_its_members_differ(
    run: Run, stored: Callable[..., Artifact], pairs: list[Preference], spec: ModelSpec
) -> None:
    """Mean less caution times variance, or the least, of members that are equally wide; saved and read as it is."""
    made = run.build(reward, stored("combine", pairs), cfg=Reward(model=spec, decay=0.1, ensemble=3, caution=2.0))
    model = RewardModel.load(made.model)
    prompts, answers = [p.prompt for p in pairs] * 2, [p.chosen for p in pairs] + [p.rejected for p in pairs]
    features = model.features([model.encode(*both) for both in zip(prompts, answers, strict=True)])
    members = model.members(features)
    assert members.shape == (60, 3, 1)
    assert float(members.std(dim=1).min()) > 0
    spreads = members[:, :, 0].std(dim=0, correction=0)
    assert torch.allclose(spreads, spreads.mean().expand(3), rtol=1e-3)
    by_hand = members.mean(1) - 2.0 * ((members - members.mean(1, keepdim=True)) ** 2).mean(1)
    assert torch.allclose(model.read(features), by_hand, atol=1e-5)
    model.facts["together"] = "worst"
    assert torch.equal(model.read(features), members.min(dim=1).values)
    assert model.scale["quality"]["noise"] == pytest.approx(float(members.std(dim=1).mean()), rel=1e-2)


def test_members_that_agree_are_one_head() -> None:
    """Caution costs nothing where all members say the same."""
    model = RewardModel(
        None, ("o",), torch.ones(3, 2, 1), torch.zeros(2), torch.ones(2), {"together": "cautious", "caution": 5.0}
    )  # type: ignore[arg-type]
    assert torch.allclose(model.read(torch.tensor([[[1.0, 2.0]]])), torch.tensor([[3.0]]))


def test_a_length_free_head_is_uncorrelated_with_length(tiny: Path, spec: ModelSpec, pairs: list[Preference]) -> None:
    """Within the prompts it was fitted on, scores and log lengths have no covariance; those of a plain head have."""
    trunk = Trunk.load(str(tiny))
    found = read_examples(trunk.tokenizer, pairs, 1024, 0)

    def covariance(length_free: bool) -> float:
        _, scores = fit_model(trunk, found, Reward(model=spec, decay=0.1, length_free=length_free), 0, Tell())
        gaps = [
            (float(scores[a, 0] - scores[b, 0]), math.log(found.answers[a].answer / found.answers[b].answer))
            for a, b in (example.answers for example in found.rows)
        ]
        return sum(score * length for score, length in gaps) / len(gaps)

    assert covariance(True) == pytest.approx(0, abs=1e-4)
    assert covariance(False) > 0.1


def test_slopes_are_those_within_prompts() -> None:
    """A prompt whose answers are all long says nothing of length; two answers of one prompt do."""
    features = torch.tensor([[1.0], [3.0], [50.0], [50.0]], dtype=torch.float64)
    length = torch.tensor([[0.0], [1.0], [9.0], [9.0]], dtype=torch.float64)
    assert length_slopes(features, length, torch.tensor([0, 0, 1, 1])).tolist() == pytest.approx([2.0])
    assert length_slopes(features, torch.zeros_like(length), torch.tensor([0, 0, 1, 1])).tolist() == [0.0]


def test_what_needs_a_fixed_trunk_is_refused_with_a_rank(spec: ModelSpec) -> None:
    """Length-free heads are solved, not trained."""
    with pytest.raises(ValidationError, match="set rank to 0"):
        Reward(model=spec, rank=2, length_free=True)


def test_an_ensemble_of_tuned_trunks_has_an_adapter_a_member(
    run: Run, stored: Callable[..., Artifact], pairs: list[Preference], spec: ModelSpec, tiny: Path, tmp_path: Path
) -> None:
    """Members differ, are equally wide, are saved in one artifact and read as mean less caution times variance.

    Each member's scores are those of its own adapter with its own heads, however the others came to be loaded.
    """
    cfg = Reward(model=spec, decay=0.1, rank=2, ensemble=3, caution=2.0, batch=16, learning_rate=1e-2)
    made = run.build(reward, stored("combine", pairs), cfg=cfg)
    model = RewardModel.load(made.model)
    assert sorted(file.parent.name for file in made.model.rglob("adapter_model.safetensors")) == [
        "adapter", "member001", "member002",
    ]  # fmt: skip
    prompts, answers = [p.prompt for p in pairs] * 2, [p.chosen for p in pairs] + [p.rejected for p in pairs]
    rows = [model.encode(*both) for both in zip(prompts, answers, strict=True)]
    members = model.members(model.features(rows))
    assert members.shape == (60, 3, 1)
    assert float(members.std(dim=1).min()) > 0
    spreads = members[:, :, 0].std(dim=0, correction=0)
    assert torch.allclose(spreads, spreads.mean().expand(3), rtol=1e-3)
    by_hand = members.mean(1) - 2.0 * members.var(1, correction=0)
    assert torch.allclose(model.scores(prompts, answers), by_hand, atol=1e-5)
    assert made.metrics["scale"]["quality"]["members"] == 3
    assert model.scale["quality"]["noise"] == pytest.approx(float(members.std(dim=1).mean()), rel=1e-2)
    for n, adapter in enumerate(("adapter/member001", "adapter/member002", "adapter")):
        shutil.copytree(made.model / adapter, tmp_path / str(n), ignore=shutil.ignore_patterns("member*"))
        alone = Trunk.load(str(tiny), tmp_path / str(n))
        own = (alone.all_features(rows) - model.mean) / model.std @ model.weights[n]
        assert torch.allclose(own, members[:, n], atol=1e-4)


def test_a_member_learns_from_conversations_redrawn(question: Make, tiny: Path, pairs: list[Preference]) -> None:
    """A conversation counts as often as it was drawn, all of its rows alike, and as many are drawn as there are."""
    found = read_examples(
        Trunk.load(str(tiny)).tokenizer, [*pairs, pairs[0].model_copy(update={"weight": 3.0})], 1024, 0
    )
    times = [example.row.weight for example in redrawn(found, 0, 1).rows]
    assert sum(times[:30]) == 30
    assert len(set(times)) > 2
    assert times[30] == 3 * times[0]
    assert times != [example.row.weight for example in redrawn(found, 0, 2).rows]


def test_labels_that_may_be_wrong_make_a_head_less_or_more_sure(
    run: Run, stored: Callable[..., Artifact], pairs: list[Preference], spec: ModelSpec
) -> None:
    """Smoothing narrows the gap, the correction for flips widens it, a margin moves it: all three reach the head."""

    def gap(**options: float) -> float:
        cfg = Reward(model=spec, decay=0.1, **options)  # type: ignore[arg-type]
        model = RewardModel.load(run.build(reward, stored("combine", pairs[:12]), cfg=cfg).model)
        scores = model.scores([pairs[0].prompt] * 2, [pairs[0].chosen, pairs[0].rejected])
        return float(scores[0, 0] - scores[1, 0])

    plain = gap()
    assert gap(smoothing=0.2) < plain < gap(flips=0.2)
    assert gap(margin=1.0) > plain


def test_a_tuned_trunk_knows_who_said_what(
    run: Run, stored: Callable[..., Artifact], pairs: list[Preference], spec: ModelSpec
) -> None:
    """With a judge's pairs and people's thumbs all terms are tuned with the adapter, and the model ranks as people do."""
    judged = [Preference(**pair.model_dump(exclude={"id"}) | {"principle": "p"}) for pair in pairs]
    thumbs = [
        Rating(
            prompt=pair.prompt, completion=text, up=text == pair.rejected, objective="quality", source="app", rater=who
        )
        for pair in pairs[:15]
        for text in (pair.chosen, pair.rejected)
        for who in ("ann", "bob")
    ]
    cfg = Reward(model=spec, decay=0.1, rank=2, batch=16, learning_rate=1e-3)
    model = RewardModel.load(run.build(reward, stored("combine", judged, thumbs), cfg=cfg).model)
    scores = model.scores([pairs[20].prompt] * 2, [pairs[20].chosen, pairs[20].rejected])
    assert float(scores[0, 0]) < float(scores[1, 0])
    assert list(model.facts["thresholds"]["quality"]) == ["app"]


def test_how_many_rows_go_through_at_once_changes_no_score(
    tiny: Path, spec: ModelSpec, pairs: list[Preference]
) -> None:
    """A step is the sum of its parts, in whatever parts its rows are taken."""
    found = read_examples(Trunk.load(str(tiny)).tokenizer, pairs, 1024, 0)

    def scores(at_once: int) -> torch.Tensor:
        cfg = Reward(model=spec, decay=0.1, rank=2, batch=15, at_once=at_once, learning_rate=1e-3)
        return fit_model(Trunk.load(str(tiny)), found, cfg, 0, Tell())[1]

    assert torch.allclose(scores(1), scores(15), atol=1e-3)
