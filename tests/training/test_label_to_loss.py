"""A label reaches the loss as it was given, all the way from the judge, and chance stays chance (METHODS (b) 3, 10)."""

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from caif.config import ModelSpec, Reward
from caif.constitution import Principle
from caif.data import Comparison, Preference, Prompt
from caif.hookspecs import Answer, Model, Question
from caif.judge import Bench, judge_all
from caif.run import Run, Tell
from caif.sources.labels import preference
from caif.stages.reward import reward
from caif.store import Artifact
from caif.training.dpo import pair_columns, soft_loss
from caif.training.examples import Example, Numbers, evidence, read_examples
from caif.training.fitting import fit_model
from caif.training.losses import pair_loss
from caif.training.trunk import Trunk

Make = Callable[..., Prompt]
RULE = Principle(id="clear", objective="clarity", critique="?", revision="!", compare="Which is clearer?")
SURE = math.log(0.9 / 0.1)


def prefers(better: str) -> Callable[[Model, Sequence[Question]], list[Answer]]:
    """A judge that says 0.9 for one answer, in whichever place it stands."""

    def score(model: Model, questions: Sequence[Question]) -> list[Answer]:
        del model
        texts = [str(question.messages[-1]["content"]) for question in questions]
        first = [text.rfind(better) < text.rfind("murky") for text in texts]
        return [Answer("", "stop", (math.log(0.9), math.log(0.1))[:: 1 if own else -1]) for own in first]

    return score


@pytest.mark.parametrize(("clamp", "says"), [(None, 0.9), (0.6, 0.6)])
def test_what_the_judge_said_is_where_both_losses_are_least(
    clamp: float | None, says: float, question: Make, spec: ModelSpec, tiny: Path
) -> None:
    """From its log-probabilities to the reward model's loss and DPO's: the gradient is 0 at the clamped label's log-odds."""
    bench = Bench(Model("j", None), lambda *_: [], prefers("limpid"), min_mass=0.0, clamp=clamp)  # type: ignore[arg-type]
    (judgement,) = judge_all(bench, [(Comparison(prompt=question(1), a="murky", b="limpid"), RULE)])
    (row,) = preference(judgement)
    assert isinstance(row, Preference)
    assert (row.chosen, row.probability) == ("limpid", pytest.approx(says))
    examples = [Example(row, (0, 1), "", 0)]
    pairs = evidence(examples, {0: 0, 1: 1}, Numbers.of(examples), Reward(model=spec)).pairs
    columns = pair_columns(AutoTokenizer.from_pretrained(tiny), [row], {}, 256).rows
    label = torch.tensor([columns[0]["probability"]], dtype=torch.float64)
    for loss, probability in ((pair_loss, pairs.probability), (soft_loss, label)):
        for p, level in ((says, True), (0.75, False)):
            gap = torch.tensor([math.log(p / (1 - p))], dtype=torch.float64, requires_grad=True)
            loss(gap, probability, pairs.weight).backward()
            assert gap.grad is not None
            assert (abs(float(gap.grad)) < 1e-9) == level


def labels(question: Make, **of_some: Any) -> list[Preference]:
    """A judge's labels beside people's; some of the judge's can be made others."""
    fields = {"chosen": "short", "rejected": "long " * 9, "objective": "brevity", "probability": 0.9}
    ours = [Preference(prompt=question(n), principle="p", source="judge", **fields) for n in range(8)]  # type: ignore[arg-type]
    people = [Preference(prompt=question(n), source="people", **fields | {"probability": 0.7}) for n in range(8, 12)]  # type: ignore[arg-type]
    return [*(row.but(**of_some) if n % 2 else row for n, row in enumerate(ours)), *people]


@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize("change", [{"probability": 0.6}, {"weight": 5.0}, {"source": "another"}])
def test_probability_weight_and_source_change_what_is_learnt(
    question: Make, spec: ModelSpec, tiny: Path, rank: int, change: dict[str, Any]
) -> None:
    """None is dropped on the way, as TRL drops columns that it does not know, whether heads alone learn or the trunk too."""
    cfg, weights = Reward(model=spec, decay=0.1, rank=rank, epochs=1, batch=12), []
    for rows in (labels(question), labels(question), labels(question, **change)):
        trunk = Trunk.load(str(tiny))
        found = read_examples(trunk.tokenizer, rows, 256, 0)
        weights.append(fit_model(trunk, found, cfg, 0, Tell())[0].weights)
    assert torch.equal(weights[0], weights[1])
    assert not torch.allclose(weights[0], weights[2], rtol=1e-3, atol=1e-6)


def test_from_random_labels_nothing_is_learnt_and_the_card_says_so(
    run: Run, stored: Callable[..., Artifact], question: Make, spec: ModelSpec
) -> None:
    """On held-out prompts accuracy's interval holds one half, by objective and by principle, and the page cautions."""
    draw = random.Random(6)
    words = [f"{draw.choice(['yes', 'no', 'well'])} {n} {draw.choice(['it is', 'never', 'so so'])}" for n in range(320)]
    rows = []
    for n in range(160):
        chosen, rejected = draw.sample(words[2 * n : 2 * n + 2], 2)
        told = {"objective": "clarity", "principle": "clear", "source": "judge", "probability": 0.9}
        prompt = question(n, "heldout" if n % 2 else "train")
        rows.append(Preference(prompt=prompt, chosen=chosen, rejected=rejected, **told))  # type: ignore[arg-type]
    card = run.build(reward, stored("combine", rows), cfg=Reward(model=spec)).metrics["card"]
    accuracy = card["overall"]["pairs"]["accuracy"]
    assert accuracy["n"] == 80
    assert accuracy["low"] < 0.5 < accuracy["high"]
    assert sum("cannot be told from chance" in said for said in card["cautions"]) == 3
