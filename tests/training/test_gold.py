"""The gold model: from conversations of its own, kept beside the heads, and asked about the best of n."""

from collections.abc import Callable
from pathlib import Path

import pytest

from caif.config import Evaluate, ModelSpec, Reward
from caif.data import Completion, Origin, Preference, Prompt
from caif.errors import CaifError
from caif.report.page import page
from caif.run import Run
from caif.stages.evaluate import evaluate
from caif.stages.reward import reward
from caif.store import Artifact
from caif.training.examples import read_examples
from caif.training.gold import apart, pushed
from caif.training.reward_model import RewardModel
from caif.training.trunk import Trunk

Make = Callable[..., Prompt]


def rows(question: Make, n: int = 24) -> list[Preference]:
    """Short answers are preferred; every fourth prompt is held out."""
    return [
        Preference(
            prompt=question(k, "heldout" if k % 4 == 0 else "train"), chosen=chosen, rejected="long " * 9, probability=0.9,
            objective="brevity", source="judge", principle="be-brief",
        )
        for k in range(n)
        for chosen in ("short", "brief")
    ]  # fmt: skip


def test_no_conversation_teaches_both_models(tiny: Path, question: Make) -> None:
    """All rows of a conversation are on one side, every training row on one of them, held-out rows with the first."""
    found = read_examples(Trunk.load(str(tiny)).tokenizer, rows(question), 1024, 0)
    ours, gold = apart(found, 0.5, seed=3)
    openings = [{e.row.prompt.opening for e in some.train} for some in (ours, gold)]
    assert not openings[0] & openings[1]
    assert len(ours.rows) + len(gold.rows) == len(found.rows)
    assert not any(e.heldout for e in gold.rows)
    assert sum(e.heldout for e in ours.rows) == 12
    assert all(openings)


def test_prompts_that_lend_each_other_answers_teach_one_model(tiny: Path, question: Make) -> None:
    """A text would else be chosen in one and rejected in the other; folds part them neither."""
    prompts = [question(n) for n in range(40)]
    lent = [
        Preference(prompt=p, chosen=f"say {n}", rejected=f"say {n ^ 1}", probability=0.9, objective="brevity", source="m",
                   origin=Origin(borrowed=prompts[n ^ 1].id))
        for n, p in enumerate(prompts)
    ]  # fmt: skip
    found = read_examples(Trunk.load(str(tiny)).tokenizer, lent, 1024, 0)
    for some in apart(found, 0.5, seed=3):
        assert {e.row.prompt.id for e in some.rows} == {e.row.origin.borrowed for e in some.rows} != set()
    folds = {e.row.prompt.id: e.fold for e in found.rows}
    assert all(e.fold == folds[e.row.origin.borrowed] for e in found.rows)
    assert len(set(folds.values())) == 5
    fused = [row.but(origin=Origin(borrowed=f"{row.origin.borrowed}+{prompts[n ^ 2].id}")) for n, row in enumerate(lent)]
    groups = {e.row.prompt.id: e.group for e in read_examples(Trunk.load(str(tiny)).tokenizer, fused, 1024, 0).rows}
    assert all(groups[prompts[n].id] == groups[prompts[n ^ bit].id] for n in range(40) for bit in (1, 2))
    assert len(set(groups.values())) == 10


def test_the_gold_is_kept_beside_the_heads_and_asked_about_the_best_of_n(
    run: Run, stored: Callable[..., Artifact], question: Make, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both load; the sweep has n of 1, 2 and 3 and draws; a model without a gold has no sweep; the page shows it.

    The trunk, which is the dear part, has read each answer once for both, and each bare refusal of the card.
    """
    read: list[list[int]] = []
    seeing = Trunk.features
    monkeypatch.setattr(Trunk, "features", lambda trunk, rows: (read.extend(r.ids for r in rows), seeing(trunk, rows))[1])
    mixture = stored("combine", rows(question))
    made = run.build(reward, mixture, cfg=Reward(model=spec, decay=0.1, gold=0.4))
    assert len(read) == len({tuple(ids) for ids in read})
    ours, gold = RewardModel.load(made.model), RewardModel.load(made.model / "gold")
    assert not ours.weights.equal(gold.weights)
    texts = ["short", "a longer answer, that is", "long " * 12]
    before = [
        Completion(prompt=question(k), text=text, model="m", sample=n) for k in range(6) for n, text in enumerate(texts)
    ]
    after = [Completion(prompt=question(k), text="brief", model="p") for k in range(6)]
    found = pushed(made.model, [*before, before[0].model_copy(update={"prompt": question(9)})], after, 0.5, 100, 0)
    assert found is not None
    assert [p["n"] for p in found["points"]] == [1, 2, 3]
    assert found["prompts"] == 6
    assert found["points"][-1]["gold"]["mean"] > 0
    assert found["rl_points"][0][0] == pytest.approx(0.5**0.5)
    numbers = dict.fromkeys(
        ("model", "overall", "sources", "reliability", "heads", "people", "card", "truncated", "along")
    ) | {"objectives": []}
    assert "turn" in page({"reward": numbers | {"pushed": found}}, "reward.html.j2")
    plain = run.build(reward, mixture, cfg=Reward(model=spec, decay=0.1))
    assert pushed(plain.model, before, after, 0.5, 100, 0) is None


def test_a_share_that_leaves_nothing_is_refused(
    run: Run, stored: Callable[..., Artifact], question: Make, spec: ModelSpec
) -> None:
    """One conversation cannot teach two models."""
    with pytest.raises(CaifError, match="leaves one of the two models without rows"):
        run.build(reward, stored("combine", rows(question, 2)), cfg=Reward(model=spec, gold=0.5))


def test_the_evaluation_pushes_the_reward_model(
    run: Run, stored: Callable[..., Artifact], question: Make, spec: ModelSpec, asked: Artifact, tuned: Artifact
) -> None:
    """The best of 1 and 2 of the answers that the evaluation samples anyway, with no policy trained."""
    rewards = run.build(reward, stored("combine", rows(question)), cfg=Reward(model=spec, decay=0.1, gold=0.4))
    cfg = Evaluate(model=spec, samples=1, best_of=2, max_tokens=8, bootstrap=50)
    found = run.build(evaluate, asked, asked, None, tuned, None, rewards, cfg=cfg).metrics["overoptimisation"]
    assert [p["n"] for p in found["points"]] == [1, 2]
    assert found["rl_points"] == []
