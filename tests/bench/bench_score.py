"""Labelling comparisons under many principles in both orders: caif's kernel beside a pass an evaluation, in one run.

    python tests/bench/bench_score.py [--model embedded:0.5b] [--comparisons 64] [--principles 16] [--rival 4]

The rivals are timed on a sample of evaluations, since one pass each takes hours for all
(padded batches hold 16 of them, if --rival is 8 or more). All run in the precision that
caif loads models in; llama.cpp, where it is installed, in its own four bits.
"""

import argparse
import math
import random
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, NamedTuple

import torch
from machine import Rate, clock, comparisons, high_water, peak, plain, text, weights

from caif.config import ModelSpec
from caif.constitution import Principle
from caif.hookspecs import Question
from caif.judge import wording
from caif.models.encode import answer_ids, prompt_ids
from caif.models.kernel.trie import lay_out
from caif.models.local import LocalChat, precision
from caif.models.resolve import folder

CHOICES = ("(A)", "(B)")


def questions(count: int, principles: int) -> list[Question]:
    """Return every comparison under every principle in both orders, the principle last."""
    rng = random.Random(1)
    asked = [f"Which option is better if {text(rng, rng.randint(8, 30))[:-1].lower()}?" for _ in range(principles)]
    rules = [Principle(id=str(n), objective="o", critique="-", revision="-", compare=a) for n, a in enumerate(asked)]
    return [
        Question(c.id, wording.pair(c.prompt, x, y, rule, "principle-last", wording.COMPLETE, False), CHOICES)
        for c in comparisons(count)
        for x, y in ((c.a, c.b), (c.b, c.a))
        for rule in rules
    ]


def useful(model: Any, prompts: list[list[int]], batches: list[list[int]]) -> float:
    """Return the GFLOP that these prompts need if nothing that a batch shares is done twice and nothing is padded."""
    c = model.config
    wide = 4 * c.num_hidden_layers * c.hidden_size
    total = 0.0
    for batch in batches:
        trie = lay_out([prompts[row] for row in batch])
        total += 2 * weights(model) * len(trie.tokens) + wide * sum(n + 1 for n in trie.positions)
        total += 2 * c.vocab_size * c.hidden_size * len(batch)
    return total / 1e9


class Ours(NamedTuple):
    """What caif took and said, and how much memory the process held before and at most, in GB."""

    rate: Rate
    batches: list[list[int]]
    said: dict[int, tuple[float, ...]]
    held: float
    top: float


def score(chat: LocalChat, asked: list[Question]) -> Ours:
    """Score all questions as a run does, batch by batch."""
    chat.score(asked[:1])
    held, batches = high_water(reset=True), chat.batches(asked)
    said: dict[int, tuple[float, ...]] = {}

    def run() -> None:
        for rows in chat.batches(asked):
            answers = chat.score([asked[row] for row in rows])
            said.update(zip(rows, (answer.logprobs for answer in answers), strict=True))

    return Ours(clock(len(asked), run), batches, said, held, high_water())


def last_logits(model: Any, prompts: list[list[int]]) -> torch.Tensor:
    """Return the logits after each of some prompts in one padded pass of transformers' own."""
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=model.device)
    with torch.inference_mode():
        return model(ids, attention_mask=mask, logits_to_keep=1, use_cache=False).logits[:, -1].float()


def reference(model: Any, prompt: list[int], replies: list[list[int]]) -> list[float]:
    """Return the replies' log-probabilities, each from a float32 pass of its own."""
    with torch.inference_mode():
        passes = [
            model(torch.tensor([prompt + ids], device=model.device)).logits[0].float().log_softmax(-1)
            for ids in replies
        ]
    return [
        sum(float(said[len(prompt) - 1 + n, token]) for n, token in enumerate(ids))
        for said, ids in zip(passes, replies, strict=True)
    ]


def apart(name: str, prompts: list[list[int]]) -> Rate | str:
    """Return what llama.cpp says in a process of its own, where it has the cores to itself and may crash."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        try:
            return pool.submit(llama_cpp, name, prompts).result()
        except BrokenProcessPool:
            return "it crashes on this processor"


def llama_cpp(name: str, prompts: list[list[int]]) -> Rate | str:
    """Return llama.cpp's rate with the last prompt's beginning kept, or why there is none."""
    try:
        from llama_cpp import Llama
    except ImportError:
        return "llama-cpp-python is not installed"
    import tempfile
    from pathlib import Path

    from caif.models import embedded

    scheme, _, size = name.partition(":")
    if scheme != "embedded":
        return "only the embedded models are GGUF files here"
    with tempfile.TemporaryDirectory() as scratch:
        embedded._join(size, Path(scratch) / "model.gguf")  # noqa: SLF001 - the file itself, not the converted weights
        model = Llama(str(Path(scratch) / "model.gguf"), n_ctx=4096, n_threads=torch.get_num_threads(), verbose=False)

    def run() -> None:
        last: list[int] = []
        for prompt in prompts:
            same = next((n for n, pair in enumerate(zip(last, prompt, strict=False)) if pair[0] != pair[1]), 0)
            model.n_tokens = same
            model.eval(prompt[same:])
            last = prompt

    model.eval(prompts[0])  # its first pass sets things up
    return clock(len(prompts), run)


class Rivals(NamedTuple):
    """What was measured with transformers' own passes, and what only the plain model tells."""

    single: Rate
    padded: Rate
    off: float
    gflop: float
    weights: float


def rivals(path: str, prompts: list[list[int]], replies: list[list[int]], ours: Ours, sample: list[int]) -> Rivals:
    """Time a pass an evaluation and padded batches, and compare what caif said with float32 passes of their own."""
    model = plain(path)
    size = sum(p.numel() * p.element_size() for p in model.parameters()) / 1e9
    rows = prompts[: min(16, 2 * len(sample))]
    single = clock(len(sample), lambda: [last_logits(model, [prompts[n]]) for n in sample])
    padded = clock(len(rows), lambda: last_logits(model, rows))
    gflop = useful(model, prompts, ours.batches)
    model = model.float()
    off = max(
        abs(math.exp(x) - math.exp(y))
        for n in sample[:2]
        for x, y in zip(ours.said[n], reference(model, prompts[n], replies), strict=True)
    )
    return Rivals(single, padded, off, gflop, size)


def main() -> None:
    """Print rates, ratios, closeness and memory."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--model", default="embedded:0.5b")
    cli.add_argument("--comparisons", type=int, default=1)
    cli.add_argument("--principles", type=int, default=16)
    cli.add_argument("--rival", type=int, default=4, help="evaluations that a pass each is timed on")
    given = cli.parse_args()
    path, best = folder(ModelSpec(use=given.model)), peak()
    asked = questions(given.comparisons, given.principles)
    print(f"{given.model} in {precision()}, {torch.get_num_threads()} threads, matrix products at {best:.0f} GFLOP/s")

    chat = LocalChat(folder=path)
    tokenizer = chat.parts()[1]
    prompts = [prompt_ids(tokenizer, q.messages) for q in asked]
    replies = [answer_ids(tokenizer, choice, ended=False) for choice in CHOICES]
    ours = score(chat, asked)
    chat.release()
    mean = sum(map(len, prompts)) / len(prompts)
    print(f"{given.comparisons} comparisons x {given.principles} principles x 2 orders, {mean:.0f} tokens each")

    sample = random.Random(2).sample(range(len(prompts)), min(given.rival, len(prompts)))
    other, rate = rivals(path, prompts, replies, ours, sample), ours.rate.per_second
    gflops = other.gflop / ours.rate.seconds
    print(f"caif: {rate:.2f} evaluations/s, {gflops:.0f} useful GFLOP/s, {gflops / best:.0%} of the machine's")
    for name, found in (
        ("one pass an evaluation", other.single),
        (f"padded batches of {other.padded.done}", other.padded),
        ("llama.cpp, prefix kept", apart(given.model, prompts[: 2 * given.principles])),
    ):
        if isinstance(found, str):
            print(f"{name}: skipped, {found}")
        else:
            print(f"{name}: {found.per_second:.2f}/s; caif is {rate / found.per_second:.1f} times as fast")
    print(f"P(choice) is at most {other.off:.1e} from a float32 pass of its own")
    print(f"memory: {ours.held:.1f} GB before, {ours.top:.1f} GB at most; the weights are {other.weights:.1f} GB")


if __name__ == "__main__":
    main()
