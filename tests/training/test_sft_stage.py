"""Tuning: the adapter loads like a model, learns the answers it is given, and says what it could not use."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from trl import SFTConfig

from caif.config import ModelSpec, Sft
from caif.data import Prompt, Revision, Turn
from caif.errors import CaifError
from caif.models.local import load
from caif.run import Run, Tell
from caif.stages.sft import sft, targets
from caif.store import Artifact
from caif.training import policy
from caif.training.options import sft_options
from caif.training.tuning import Tuner, columns

Make = Callable[..., Any]


def turn(revision: str, rejected: str = "") -> Turn:
    return Turn(principle="p", critique="CritiqueRequest: it is bad", revision=revision, rejected=rejected)


def revision(prompt: Prompt, *turns: Turn) -> Revision:
    accepted = [t.revision for t in turns if not t.rejected]
    return Revision(prompt=prompt, first="the first answer", turns=turns, final=accepted[-1] if accepted else None)


@pytest.fixture
def revised(stored: Callable[..., Artifact], question: Callable[..., Prompt]) -> Artifact:
    """Chains with two accepted revisions and one rejected in between."""
    return stored(
        "revise", [revision(question(n), turn("yes"), turn("", "empty"), turn("yes, surely")) for n in range(4)]
    )


def test_all_accepted_revisions_or_the_last_are_targets(question: Callable[..., Prompt]) -> None:
    """A rejected turn, the first answer and the critique are never learnt."""
    chain = revision(question(0), turn("one"), turn("bad", "identical to the answer"), turn("two"))
    assert [answer for _, answer in targets([chain], "all")] == ["one", "two"]
    assert [answer for _, answer in targets([chain], "final")] == ["two"]
    assert targets([revision(question(0), turn("", "empty"))], "final") == []


def test_the_tuned_adapter_is_all_there_is_and_loads_like_a_model(
    run: Run, revised: Artifact, spec: ModelSpec, tiny: Path
) -> None:
    """No checkpoint is left; the adapter points at its base; it answers more like its targets than the base does."""
    cfg = Sft(model=spec, rank=4, epochs=20, learning_rate=1e-2, batch=4, at_once=2)
    tuned = run.build(sft, revised, cfg=cfg)
    names = {file.name for file in tuned.model.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= names
    assert not {n for n in names if n.startswith("checkpoint") or n.endswith((".bin", ".pt", ".pth", ".md"))}
    model, tokenizer = load(str(tuned.model))
    before, _ = load(str(tiny))
    row = columns(tokenizer, [(revised.rows(Revision)[0].prompt.chat, "yes, surely")])
    ids, mask = torch.tensor(row["input_ids"]), torch.tensor(row["completion_mask"])
    labels = ids.masked_fill(mask == 0, -100)
    with torch.no_grad():
        losses = [float(m(input_ids=ids, labels=labels).loss) for m in (before, model)]
    assert losses[1] < losses[0] - 0.3
    assert tuned.metrics["rows"] == 8
    assert tuned.metrics["steps"][-1]["loss"] < tuned.metrics["steps"][0]["loss"]


def test_only_the_answer_carries_loss_in_trls_own_batch(
    run: Run, spec: ModelSpec, tiny: Path, tmp_path: Path, question: Callable[..., Prompt]
) -> None:
    """The labels that reach the model are those of the answer and its end, whatever the padding."""
    model, tokenizer = policy.fresh(str(tiny), 4, 0)
    rows = columns(tokenizer, [(question(1).chat, "all right"), (question(22).chat, "no, thank you very much")])
    options = sft_options(Sft(model=spec, batch=2, at_once=2), 0, str(tmp_path))
    trainer = Tuner(model, args=SFTConfig(**options), train_dataset=Dataset.from_dict(rows), processing_class=tokenizer)
    batch = next(iter(trainer.get_train_dataloader()))
    said = {tokenizer.decode(row[row != -100]) for row in batch["labels"]}
    assert said == {"all right<|im_end|>", "no, thank you very much<|im_end|>"}


def test_long_rows_are_cut_and_counted(
    run: Run, stored: Make, spec: ModelSpec, question: Callable[..., Prompt]
) -> None:
    """A row over max_length is cut, one whose prompt alone is over it is left out, and both are told."""
    rows = [
        revision(question(1), turn("short")),
        revision(question(2), turn("long " * 40)),
        revision(Prompt.of("much " * 80), turn("short")),
    ]
    tuned = run.build(sft, stored("revise", rows), cfg=Sft(model=spec, rank=2, max_length=64))
    assert tuned.counts == {"cut to max_length": 1, "prompt alone over max_length": 1}
    assert (tuned.metrics["rows"], tuned.metrics["cut"], tuned.metrics["dropped"]) == (2, 1, 1)
    with pytest.raises(CaifError, match="every prompt alone is longer"):
        run.build(sft, stored("revise", rows[2:]), cfg=Sft(model=spec, rank=2, max_length=32))


def test_nothing_to_learn_from_is_an_error(
    run: Run, stored: Make, spec: ModelSpec, question: Callable[..., Prompt]
) -> None:
    """Without one accepted revision there is no tuned model."""
    with pytest.raises(CaifError, match="no revision was accepted"):
        run.build(sft, stored("revise", [revision(question(0), turn("", "empty"))]), cfg=Sft(model=spec))


def test_a_loss_that_is_not_finite_stops_at_its_step(run: Run, revised: Artifact, tmp_path: Path, tiny: Path) -> None:
    """A model with a broken weight never becomes an artifact, and the step is named."""
    for file in tiny.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tiny / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CaifError, match=r"sft: loss at step 1 is nan"):
        run.build(sft, revised, cfg=Sft(model=ModelSpec(use=f"hf:{tmp_path}"), rank=2))
    assert not list((run.home / "store").glob("sft-*[!l]"))


def test_an_adapter_is_not_taken_for_a_base(run: Run, revised: Artifact, spec: ModelSpec) -> None:
    """Tuning goes over a whole model; an adapter's folder is refused by name."""
    tuned = run.build(sft, revised, cfg=Sft(model=spec, rank=2))
    with pytest.raises(CaifError, match="is an adapter"):
        run.build(sft, revised, cfg=Sft(model=ModelSpec(use=f"hf:{tuned.model}"), rank=2))


def test_the_same_seed_trains_the_same_adapter(run: Run, revised: Artifact, spec: ModelSpec, tmp_path: Path) -> None:
    """Killed and run again, tuning gives the same bytes."""
    again = Run(run.config, tmp_path / "again", run.plugins)
    cfg = Sft(model=spec, rank=2, batch=4, at_once=2)
    models = [r.build(sft, revised, cfg=cfg).model for r in (run, again)]
    first, second = [{f.name: f.read_bytes() for f in sorted(model.iterdir())} for model in models]
    assert first == second


def test_progress_is_told(run: Run, revised: Artifact, spec: ModelSpec) -> None:
    """Every step is passed on with its loss."""
    heard: list[tuple[int, int]] = []

    class Ear(Tell):
        def step(self, label: str, done: int, total: int, **numbers: float) -> None:
            assert label == "sft"
            assert numbers["loss"] > 0
            heard.append((done, total))

    run.tell = Ear()
    run.build(sft, revised, cfg=Sft(model=spec, rank=2, batch=4))
    assert heard == [(1, 2), (2, 2)]
