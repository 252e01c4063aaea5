"""DPO on soft weighted labels: TRL's own loss where labels are sure, another where they are not, and the whole recipe."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from trl import DPOConfig, DPOTrainer

from caif import plugins
from caif.config import ModelSpec, RunConfig
from caif.data import Preference, Prompt
from caif.errors import CaifError
from caif.models.local import load
from caif.plan import recipe_of
from caif.run import Run
from caif.sections.offline import Dpo
from caif.training import dpo, policy
from caif.training.options import check, dpo_options


def pair(n: int, chosen: str, rejected: str, **more: Any) -> Preference:
    made = {"probability": 1.0, "objective": "clarity", **more}
    return Preference(prompt=Prompt.of(f"What of number {n}?"), chosen=chosen, rejected=rejected, **made)


Done = Callable[..., Run]
PAIRS = [pair(1, "It is fine.", "no"), pair(22, "yes", "It is a long story, and a bad one.")]


def moved(tiny: Path) -> Any:
    """A model whose adapter differs from what it is compared with: its copy is made, then it is changed."""
    model, tokenizer = policy.fresh(str(tiny), 2, 0)
    return model, tokenizer


def change(trainer: DPOTrainer) -> None:
    """Move the adapter away from its reference, the same way for each trainer."""
    torch.manual_seed(7)
    for name, parameter in sorted(trainer.model.named_parameters()):
        if ".default." in name:
            parameter.data += 0.1 * torch.randn_like(parameter)


def loss(tiny: Path, spec: ModelSpec, folder: Path, pairs: list[Preference]) -> float:
    model, tokenizer = moved(tiny)
    rows = dpo.pair_columns(tokenizer, pairs, {}, 256).rows
    trainer = dpo.soft_dpo(model, tokenizer, rows, options=dpo_options(Dpo(model=spec, beta=0.3), 0, str(folder)))
    change(trainer)
    return float(trainer.compute_loss(trainer.model, trainer.data_collator(rows)))


def test_sure_labels_of_equal_weight_give_trls_own_loss(tiny: Path, spec: ModelSpec, tmp_path: Path) -> None:
    """p = 1 and weight 1 on TRL's own trainer, own batch and own sigmoid loss: equal to 1e-6."""
    model, tokenizer = moved(tiny)
    columns = dpo.pair_columns(tokenizer, PAIRS, {}, 256).rows
    options = dpo_options(Dpo(model=spec, beta=0.3), 0, str(tmp_path)) | {"remove_unused_columns": True}
    talk = [
        {
            "prompt": p.prompt.chat,
            "chosen": [{"role": "assistant", "content": p.chosen}],
            "rejected": [{"role": "assistant", "content": p.rejected}],
        }
        for p in PAIRS
    ]
    theirs = DPOTrainer(
        model=model, args=DPOConfig(**options), train_dataset=Dataset.from_list(talk), processing_class=tokenizer
    )
    change(theirs)
    told = [{name: row[name] for name in ("prompt_ids", "chosen_ids", "rejected_ids")} for row in columns]
    wanted = float(theirs.compute_loss(theirs.model, theirs.data_collator(told)))
    assert abs(wanted - math.log(2)) > 1e-3
    assert loss(tiny, spec, tmp_path, PAIRS) == pytest.approx(wanted, abs=1e-6)


def test_probability_and_weight_change_the_loss(tiny: Path, spec: ModelSpec, tmp_path: Path) -> None:
    """Neither is dropped on the way to the trainer, as TRL drops what it does not know."""
    sure = loss(tiny, spec, tmp_path, PAIRS)
    unsure = loss(tiny, spec, tmp_path, [p.model_copy(update={"probability": 0.7}) for p in PAIRS])
    heavier = loss(tiny, spec, tmp_path, [PAIRS[0].model_copy(update={"weight": 3.0}), PAIRS[1]])
    assert len({round(value, 6) for value in (sure, unsure, heavier)}) == 3


@settings(max_examples=30, deadline=None)
@given(st.floats(0.02, 0.98), st.floats(0.1, 5))
def test_the_least_loss_is_where_the_policy_says_what_the_label_says(p: float, weight: float) -> None:
    """At gap = logit p the gradient is 0 and the loss is the label's entropy; a label turned round is its mirror."""
    gap = torch.tensor([math.log(p / (1 - p))], dtype=torch.float64, requires_grad=True)
    found = dpo.soft_loss(gap, torch.tensor([p], dtype=torch.float64), torch.tensor([weight], dtype=torch.float64))
    found.backward()
    assert abs(float(gap.grad)) < 1e-9  # type: ignore[arg-type]
    assert float(found) == pytest.approx(-weight * (p * math.log(p) + (1 - p) * math.log(1 - p)))
    turned = dpo.soft_loss(-gap, torch.tensor([1 - p]).double(), torch.tensor([weight]).double())
    assert float(turned) == pytest.approx(float(found))


def test_weights_are_one_on_average_and_long_rows_are_counted(tiny: Path) -> None:
    """Only ratios of weights count; a long prompt loses its beginning, a long answer its row."""
    _, tokenizer = load(str(tiny))
    long = Preference(
        prompt=Prompt.of("much " * 90), chosen="a", rejected="b", probability=0.8, weight=4.0, objective="other"
    )
    columns = dpo.pair_columns(tokenizer, [*PAIRS, long, pair(3, "x " * 300, "y")], {"other": 0.5}, 100)
    assert (len(columns.rows), columns.cut, columns.lost) == (3, 1, 1)
    assert [row["weight"] for row in columns.rows] == pytest.approx([0.75, 0.75, 1.5])
    assert all(
        len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"])) <= 100 for row in columns.rows
    )
    assert columns.rows[0]["chosen_ids"][-1] == tokenizer.eos_token_id


DPO = """
[dpo]
model = "tiny"
beta = 0.1
learning_rate = 0.01
epochs = 2
"""


def test_the_recipe_runs_end_to_end(done: Done) -> None:
    """From constitution to report without reward model and RL; the adapter of [sft] is trained on; the report says so."""
    run = done("dpo", sections=DPO)
    stages = {artifact.stage: artifact for artifact in run.built}
    assert list(stages)[-4:] == ["combine", "dpo", "evaluate", "report"]
    assert not {"reward", "rl"} & set(stages)
    assert stages["dpo"].metrics["rows"] > 0
    assert stages["dpo"].metrics["steps"][-1]["rewards/margins"] != 0
    assert stages["dpo"].counts["thumb: not for DPO"] > 0
    load(str(stages["dpo"].model))
    report = json.loads((stages["report"].folder / "report.json").read_text())
    assert {"reward", "rl"} <= set(report["left_out"])
    assert "policy" in {side["name"] for side in report["evaluation"]["measures"][0]["sides"]}


def test_a_section_that_is_needed_is_named(tmp_path: Path) -> None:
    """A run file that lacks what the recipe needs is refused before anything is made."""
    given = RunConfig(name="x", constitution=tmp_path / "law.toml", prompts={"use": "none"}, recipe="dpo")  # type: ignore[arg-type]
    with pytest.raises(CaifError, match=r"recipe = \"dpo\" needs \[combine\]"):
        recipe_of(given, plugins.load())


def test_an_objective_that_no_pair_has_is_named(done: Done) -> None:
    """A weight for what is not there would change nothing in silence."""
    with pytest.raises(CaifError, match=r"dpo.weights: no pair is about 'brevit'"):
        done("dpo", "dpo.weights.brevit=2", sections=DPO)


def test_trl_is_asked_what_it_has_against_the_section(spec: ModelSpec, tmp_path: Path) -> None:
    """The defaults pass; what DPOConfig refuses would be a line under [dpo]."""
    made = RunConfig(name="x", constitution=tmp_path / "law.toml", prompts={"use": "none"})  # type: ignore[arg-type]
    assert check(made.model_copy(update={"dpo": Dpo(model=spec)})) == []
