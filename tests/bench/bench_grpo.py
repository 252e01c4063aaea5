"""A GRPO step of caif beside one of TRL's own trainer on the same work: time and peak memory, in one run.

    python tests/bench/bench_grpo.py [--model embedded:0.5b] [--steps 2] [--rounds 1]

4 prompts x 4 answers x 48 tokens, two heads of a reward model on the policy's own base, LoRA of rank 16, a KL to the
reference. Both get the same model, prompts, options and rewards, in the precision that caif loads models in, and neither
ends an answer early; TRL's reward functions ask the policy's base too, in a padded batch, as one would write them. Each side
is a process of its own, in turns; the step before those counted is left out. Time is given as it passed, and as the
processor was busy in all threads: on a machine that does other work too, the latter says more.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from bench_generate import talks
from datasets import Dataset
from machine import high_water, peak
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from caif.config import ModelSpec, Rl
from caif.data import Prompt
from caif.models.local import precision
from caif.models.resolve import folder
from caif.training import policy
from caif.training.options import rl_options
from caif.training.payment import Payment
from caif.training.progress import quiet
from caif.training.reinforcing import grpo
from caif.training.reward_model import RewardModel
from caif.training.rl_ends import columns
from caif.training.rl_rewards import Heads
from caif.training.shared_trunk import beside
from caif.training.trunk import Trunk

OBJECTIVES = ("harmlessness", "helpfulness")
TOKENS = 48


class Clock(TrainerCallback):
    """Notes when each step was done."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float]] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """See above."""
        self.ends.append((time.perf_counter(), time.process_time()))

    @property
    def steps(self) -> list[tuple[float, float]]:
        """How long each step after the first took, and how long the processor was busy with it."""
        return [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(self.ends)]


class Padded(Trunk):
    """A policy's base as a trunk, read as transformers reads a padded batch."""

    def members(self) -> Iterator["Padded"]:
        """Yield the one there is: the policy's adapters are off."""
        yield self

    def states(self, sequences: Sequence[Sequence[int]]) -> tuple[torch.Tensor, list[list[int]]]:
        """Return the hidden states of all places, and those of each sequence's tokens."""
        learner: Any = self.model
        width = max(map(len, sequences))
        ids = torch.tensor([[*some, *[0] * (width - len(some))] for some in sequences], device=learner.device)
        mask = torch.tensor([[1] * len(some) + [0] * (width - len(some)) for some in sequences], device=ids.device)
        with torch.no_grad(), learner.disable_adapter():
            inner = learner.get_base_model().base_model
            found = inner(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        return found.flatten(0, 1), [[*range(n * width, n * width + len(some))] for n, some in enumerate(sequences)]


def heads(trunk: Trunk, width: int) -> Heads:
    """Return two heads that nobody trained: what they say is nothing, and takes as long."""
    features = 2 * width + 1
    weights = torch.randn(1, features, len(OBJECTIVES), generator=torch.Generator().manual_seed(0))
    scale = {name: {"mean": 0.0, "std": 1.0} for name in OBJECTIVES}
    facts = {"max_length": 1024, "scale": scale}
    return Heads(RewardModel(trunk, OBJECTIVES, weights, torch.zeros(features), torch.ones(features), facts))


def trainer(side: str, model: str, steps: int, scratch: str) -> Any:
    """Return a side's trainer. TRL's is told to write on to the limit, caif's that nothing ends an answer."""
    base, spec = folder(ModelSpec(use=model)), ModelSpec(use=model)
    cfg = Rl(model=spec, steps=steps, generations=4, prompts_per_step=4, max_tokens=TOKENS, truncated="keep", at_once=8)
    learner, tokenizer = policy.fresh(base, cfg.rank, 0)
    trunk = beside(learner, tokenizer, base)(base, None) if side == "caif" else Padded(learner, tokenizer)
    scored = heads(trunk, learner.config.hidden_size)
    rewards = [scored.of(name) for name in OBJECTIVES]
    prompts = [Prompt.model_validate({"messages": talk}) for talk in talks(4)]
    rows, options = columns(prompts, cfg.prompts_per_step), rl_options(cfg, 0, scratch)
    if side == "caif":
        made: Any = grpo(learner, tokenizer, rows, rewards, options=options, payment=Payment(OBJECTIVES, cfg))
        made.eos_token_ids = []
        return made
    args = GRPOConfig(**options, generation_kwargs={"min_new_tokens": TOKENS})
    return GRPOTrainer(
        model=learner, reward_funcs=list(rewards), args=args, train_dataset=Dataset.from_dict(rows),
        processing_class=tokenizer,
    )  # fmt: skip


def measure(side: str, model: str, steps: int) -> dict[str, Any]:
    """Return the times of each step but the first, and the peak memory of the training."""
    quiet()
    with TemporaryDirectory() as scratch:
        made, clock = trainer(side, model, steps + 1, scratch), Clock()
        made.add_callback(clock)
        high_water(reset=True)
        made.train()
        logs = [log for log in made.state.log_history if "loss" in log]
    lengths = {log["completions/mean_length"] for log in logs}
    assert lengths == {TOKENS}, lengths
    return {"steps": clock.steps, "memory": high_water()}


def main() -> None:
    """Print each side's times a step and peak memory, and the ratios."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--model", default="embedded:0.5b")
    cli.add_argument("--steps", type=int, default=2)
    cli.add_argument("--rounds", type=int, default=1)
    cli.add_argument("--side", choices=["caif", "TRL"])
    given = cli.parse_args()
    if given.side:
        print(json.dumps(measure(given.side, given.model, given.steps)))
        return
    print(f"{given.model} in {precision()}, {torch.get_num_threads()} threads, matrix products at {peak():.0f} GFLOP/s")
    found: dict[str, list[dict[str, Any]]] = {"caif": [], "TRL": []}
    for side in [*found] * given.rounds:
        told = ["--side", side, "--model", given.model, "--steps", str(given.steps)]
        out = subprocess.run([sys.executable, __file__, *told], check=True, stdout=subprocess.PIPE, text=True)
        found[side].append(json.loads(out.stdout.splitlines()[-1]))
    ratios = []
    for side, some in found.items():
        passed, busy = (median(step[n] for one in some for step in one["steps"]) for n in (0, 1))
        ratios.append((passed, busy, memory := max(one["memory"] for one in some)))
        print(f"{side}: {passed:.1f} s a step ({busy:.1f} s of the processor), {memory:.1f} GB")
    ours, theirs = ratios
    print(
        f"caif is {theirs[0] / ours[0]:.2f} times as fast ({theirs[1] / ours[1]:.2f} by the processor), "
        f"with {ours[2] / theirs[2]:.2f} of the memory"
    )


if __name__ == "__main__":
    main()
