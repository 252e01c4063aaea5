"""KTO on thumbs: TRL's own loss where weights are equal, shuffled, balanced, and the whole recipe."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from trl import KTOConfig, KTOTrainer

from caif.config import ModelSpec
from caif.data import Prompt, Rating
from caif.errors import CaifError
from caif.run import Run
from caif.sections.offline import Kto
from caif.training import kto, policy
from caif.training.options import kto_options

Done = Callable[..., Run]
THUMBS = [
    Rating(prompt=Prompt.of(f"What of number {n}?"), completion=f"It is {'good ' * n}", up=n > 1, objective="clarity")
    for n in range(4)
]


def change(trainer: KTOTrainer) -> None:
    """Move the adapter away from its reference, the same way for each trainer."""
    torch.manual_seed(7)
    for name, parameter in sorted(trainer.model.named_parameters()):
        if ".default." in name:
            parameter.data += 0.1 * torch.randn_like(parameter)


class Theirs(KTOTrainer):
    """TRL's own loss, given the same ids."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset


def test_equal_weights_give_trls_own_loss(tiny: Path, spec: ModelSpec, tmp_path: Path) -> None:
    """Weight 1 on TRL's own trainer and batch: equal to 1e-6; another weight gives another loss."""
    options = kto_options(Kto(model=spec, beta=0.3), 0, str(tmp_path))
    losses = []
    for own in (True, False):
        model, tokenizer = policy.fresh(str(tiny), 2, 0)
        rows = kto.mismatched(kto.thumb_columns(tokenizer, THUMBS, {}, 256).rows, 4, 0)
        if own:
            trainer: KTOTrainer = kto.weighed_kto(model, tokenizer, rows, options=options)
        else:
            told = KTOConfig(**options)
            trainer = Theirs(model, args=told, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
        change(trainer)
        losses.append(float(trainer.compute_loss(trainer.model, trainer.data_collator(rows)).detach()))
        if own:
            heavy = [{**row, "weight": 1.0 + n} for n, row in enumerate(rows)]
            losses.append(float(trainer.compute_loss(trainer.model, trainer.data_collator(heavy)).detach()))
    assert losses[0] == pytest.approx(losses[2], abs=1e-6)
    assert abs(losses[0] - losses[1]) > 1e-4


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.1, 10)), min_size=2, max_size=12).filter(
        lambda rows: 0 < sum(up for up, _ in rows) < len(rows)
    ),
    st.floats(1, 1.5),
)
def test_ups_and_downs_are_balanced(rows: list[tuple[bool, float]], ratio: float) -> None:
    """Ups have `ratio` times the weight of downs together, all are 1 on average, and ratios within a label stay."""
    given_rows = [{"label": up, "weight": weight} for up, weight in rows]
    found = kto.balanced(given_rows, ratio)
    totals = {up: sum(row["weight"] for row in found if row["label"] == up) for up in (True, False)}
    assert totals[True] == pytest.approx(ratio * totals[False])
    assert sum(totals.values()) == pytest.approx(len(rows))
    for up in (True, False):
        some = [new["weight"] / old["weight"] for new, old in zip(found, given_rows, strict=True) if new["label"] == up]
        assert some == pytest.approx([some[0]] * len(some))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 23), st.integers(2, 6), st.integers(0, 5))
def test_every_row_is_there_once_beside_anothers_answer(n: int, at_once: int, seed: int) -> None:
    """Shuffled, nothing lost; the partner is another row, of the same batch where the batch has another."""
    rows = [{"completion_ids": [k], "label": k < n // 2} for k in range(n)]
    found = kto.mismatched(rows, at_once, seed)
    assert sorted(row["completion_ids"][0] for row in found) == list(range(n))
    assert all(row["KL_completion_ids"] != row["completion_ids"] for row in found)
    for start in range(0, n - n % at_once, at_once):
        batch = found[start : start + at_once]
        assert sorted(r["KL_completion_ids"] for r in batch) == sorted(r["completion_ids"] for r in batch)


def test_thumbs_sorted_by_label_are_learnt_in_no_such_order(tiny: Path, spec: ModelSpec, tmp_path: Path) -> None:
    """A file has its ups first, and TRL takes rows as they lie: what its loader gives is mixed, and another seed mixes anew."""
    rows = [{"prompt_ids": [5, 6], "completion_ids": [n], "label": n < 32, "weight": 1.0} for n in range(10, 54)]
    mixed = kto.mismatched(rows, 4, 0)
    assert mixed != kto.mismatched(rows, 4, 1)
    model, tokenizer = policy.fresh(str(tiny), 2, 0)
    options = kto_options(Kto(model=spec, batch=4, at_once=4), 0, str(tmp_path))
    batches = list(kto.weighed_kto(model, tokenizer, mixed, options=options).get_train_dataloader())
    assert [up for batch in batches for up in batch["label"]] == [row["label"] for row in mixed]
    assert sum(0 < sum(batch["label"]) < len(batch["label"]) for batch in batches) > len(batches) / 2


KTO = """
[kto]
model = "tiny"
learning_rate = 0.01
rank = 2
"""


def test_the_recipe_runs_end_to_end(done: Done) -> None:
    """Thumbs alone train the policy; pairs are counted as unused."""
    run = done("kto", sections=KTO)
    made = {artifact.stage: artifact for artifact in run.built}
    assert list(made)[-4:] == ["combine", "kto", "evaluate", "report"]
    assert 0 < made["kto"].metrics["up"] < made["kto"].metrics["rows"]
    assert made["kto"].counts["pair: not for KTO"] > 0
    assert all(abs(step["loss"]) > 0 for step in made["kto"].metrics["steps"])


def test_downs_alone_are_refused(done: Done) -> None:
    """Without both there is nothing to set one against the other."""
    with pytest.raises(CaifError, match=r"no thumb is about 'brevit'"):
        done("kto", "kto.weights.brevit=1", sections=KTO)
    with pytest.raises(CaifError, match=r"kto: 0 thumbs up and 0 down"):
        done("kto", "kto.weights.clarity=0", sections=KTO)
