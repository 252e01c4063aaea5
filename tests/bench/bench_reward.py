"""Tuning a reward model with LoRA: caif beside TRL's own RewardTrainer, pairs a second and peak memory, in one run.

    python tests/bench/bench_reward.py [--model embedded:0.5b] [--steps 2] [--batches 1 4] [--at-once 4]

Every side has a process of its own and tunes the same adapter (rank 16 on all linear layers) on the same token ids, four
pairs a step, in the precision that caif loads models in (TRL: bf16 autocast where that is bfloat16). The first step is
not counted. Lengths are about those of hh-rlhf's harmless pairs: 146 tokens of conversation, 41 and 51 of answers.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from typing import Any

import torch
from machine import high_water, peak, text

from caif.config import ModelSpec, Reward
from caif.data import Preference, Prompt
from caif.models.local import device, precision
from caif.models.resolve import folder
from caif.run import Tell
from caif.training.examples import Examples, Numbers, read_examples
from caif.training.heads import Head
from caif.training.reward_model import RewardModel
from caif.training.trunk import Trunk
from caif.training.trunk_tuning import tune_trunk

RANK, STEP = 16, 4


def pairs(count: int, asked: int, said: int) -> list[Preference]:
    """Return pairs of answers of so many words on average, to conversations of so many; nearly every word is a token."""
    rng = random.Random(0)

    def drawn(words: int) -> str:
        return text(rng, max(3, round(rng.lognormvariate(0, 0.5) * words / 1.13)))

    return [
        Preference(
            prompt=Prompt.of(drawn(asked)), chosen=drawn(said), rejected=drawn(said), probability=1, objective="o"
        )
        for _ in range(count)
    ]


class Watch(Tell):
    """Notices when every step ended, by the clock and by the processor's own time."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float]] = []

    def step(self, *_: Any, **__: Any) -> None:
        """See `Tell`."""
        self.ends.append((time.perf_counter(), time.process_time()))

    @property
    def rates(self) -> dict[str, float]:
        """Pairs a second and pairs a second of the processor, of all steps but the first."""
        done, (first, *_, last) = STEP * (len(self.ends) - 1), self.ends
        return {"rate": done / (last[0] - first[0]), "cpu": done / (last[1] - first[1])}


def by_caif(name: str, path: str, rows: list[Preference], at_once: int) -> Watch:
    """Tune a trunk from heads that are zero, as TRL's are nearly."""
    trunk = Trunk.load(path)
    found = read_examples(trunk.tokenizer, rows, 1024, 0)
    width = trunk.all_features(found.answers[:1]).shape[1]
    model = RewardModel(trunk, ("o",), torch.zeros(1, width, 1), torch.zeros(width), torch.ones(width), {})
    numbers = Numbers.of(found.train)
    head = Head(torch.zeros(width - 1), numbers.terms(width - 1), 0.1)
    cfg = Reward(model=ModelSpec(use=name), rank=RANK, batch=STEP, at_once=at_once)
    tune_trunk(model, [(numbers, head)], found, cfg, 0, watch := Watch())
    return watch


def by_trl(path: str, found: Examples, batch: int, checkpointing: bool, scratch: str) -> Watch:
    """Tune a sequence classifier as TRL does."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback
    from trl import RewardConfig, RewardTrainer

    watch = Watch()

    class Ended(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            watch.step()

    ids = [[found.answers[n].ids for n in example.answers] for example in found.rows]
    config = RewardConfig(
        output_dir=scratch, per_device_train_batch_size=batch, gradient_accumulation_steps=STEP // batch,
        gradient_checkpointing=checkpointing, bf16=precision() is torch.bfloat16, use_cpu=device() == "cpu",
        num_train_epochs=1, logging_steps=1000,
        save_strategy="no", report_to="none", disable_tqdm=True, lr_scheduler_type="constant",
    )  # fmt: skip
    RewardTrainer(
        AutoModelForSequenceClassification.from_pretrained(path, num_labels=1, dtype=torch.float32),
        args=config, processing_class=AutoTokenizer.from_pretrained(path), callbacks=[Ended()],
        train_dataset=Dataset.from_dict({"chosen_ids": [a for a, _ in ids], "rejected_ids": [b for _, b in ids]}),
        peft_config=LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="SEQ_CLS"),
    ).train()  # fmt: skip
    return watch


def side(given: argparse.Namespace) -> dict[str, float]:
    """Do what one process does."""
    from transformers import AutoTokenizer

    path = folder(ModelSpec(use=given.model))
    rows = pairs(STEP * (given.steps + 1), given.asked, given.said)
    if given.side == "caif":
        watch = by_caif(given.model, path, rows, given.at_once)
    else:
        found = read_examples(AutoTokenizer.from_pretrained(path), rows, 1024, 0)
        with tempfile.TemporaryDirectory() as scratch:
            watch = by_trl(path, found, given.batch, given.checkpointing, scratch)
    return watch.rates | {"memory": high_water()}


def apart(name: str, *options: str) -> dict[str, float]:
    """Return what one side says in a process of its own, and print it."""
    done = subprocess.run([sys.executable, __file__, *options], check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    told = (
        f"{found['rate']:.3f} pairs/s, {found['cpu']:.3f} a second of the processor, {found['memory']:.2f} GB at most"
    )
    print(f"{name}: {told}", flush=True)
    return found


def main() -> None:
    """Print rates, memory and ratios."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--model", default="embedded:0.5b")
    cli.add_argument("--steps", type=int, default=2, help=f"steps of {STEP} pairs that are counted")
    cli.add_argument("--asked", type=int, default=122, help="words of a conversation, on average")
    cli.add_argument("--said", type=int, default=45, help="words of an answer, on average")
    cli.add_argument("--at-once", type=int, default=1, help="caif's pairs a pass")
    cli.add_argument("--batches", type=int, nargs="+", default=[1, 4], help="TRL's pairs a pass")
    cli.add_argument("--checkpointing", action="store_true", help="TRL once more, with its activations computed again")
    cli.add_argument("--side", choices=("caif", "trl"), help="one side alone, as JSON")
    cli.add_argument("--batch", type=int, default=1, help="with --side trl")
    given = cli.parse_args()
    if given.side:
        print(json.dumps(side(given)))
        return
    print(f"{given.model} in {precision()}, {torch.get_num_threads()} threads, matrix products at {peak():.0f} GFLOP/s")
    same = [word for name in ("model", "steps", "asked", "said") for word in (f"--{name}", str(getattr(given, name)))]
    same += ["--at-once", str(given.at_once), "--side"]
    rivals = [(f"TRL, {n} pairs a pass", ["trl", "--batch", str(n)]) for n in given.batches]
    if given.checkpointing:
        rivals.append(("TRL, checkpointing", ["trl", "--batch", str(given.batches[-1]), "--checkpointing"]))
    ours, theirs = [], []
    for name, options in rivals:
        ours.append(apart("caif", *same, "caif"))
        theirs.append(apart(name, *same, *options))
    for what in ("rate", "cpu"):
        best, mine = max(theirs, key=lambda one: one[what]), sum(one[what] for one in ours) / len(ours)
        memory = max(one["memory"] for one in ours) / best["memory"]
        by = {"rate": "the clock", "cpu": "the processor's time"}[what]
        print(f"by {by} caif is {mine / best[what]:.2f} times as fast as TRL's best, with {memory:.2f} of its memory")


if __name__ == "__main__":
    main()
