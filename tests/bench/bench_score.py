"""Labelling comparisons under many principles in both orders: caif's kernel beside a pass an evaluation, in one run.

    python tests/bench/bench_score.py [--model embedded:0.5b] [--comparisons 64] [--principles 16] [--rival 8]

The rivals are timed on a sample of evaluations, since one pass each takes hours for all. All run in the precision that
caif loads models in; llama.cpp, where it is installed, in its own four bits.
"""

import argparse
import math
import random
from itertools import islice
from typing import Any

import torch
from machine import Rate, clock, comparisons, high_water, peak, plain, text, weights

from caif.config import ModelSpec
from caif.constitution import Principle
from caif.hookspecs import Question
from caif.judge import wording
from caif.models.encode import prompt_ids
from caif.models.kernel.trie import lay_out
from caif.models.local import LocalChat, precision
from caif.models.resolve import folder

CHOICES = ("(A)", "(B)")


def questions(count: int, principles: int) -> list[Question]:
    """Return every comparison under every principle in both orders, the principle last."""
    rng = random.Random(1)
    rules = [
        Principle(id=str(n), objective="o", compare=f"Which option is better if {text(rng, rng.randint(8, 30))[:-1].lower()}?")
        for n in range(principles)
    ]
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
        passes = [model(torch.tensor([prompt + ids], device=model.device)).logits[0].float().log_softmax(-1) for ids in replies]
    return [
        sum(float(said[len(prompt) - 1 + n, token]) for n, token in enumerate(ids))
        for said, ids in zip(passes, replies, strict=True)
    ]


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

    return clock(len(prompts), run)


def main() -> None:
    """Print rates, ratios, closeness and memory."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--model", default="embedded:0.5b")
    cli.add_argument("--comparisons", type=int, default=1)
    cli.add_argument("--principles", type=int, default=16)
    cli.add_argument("--rival", type=int, default=8, help="evaluations that a pass each is timed on")
    given = cli.parse_args()
    path, best = folder(ModelSpec(use=given.model)), peak()
    asked = questions(given.comparisons, given.principles)

    chat = LocalChat(folder=path)
    tokenizer = chat.parts()[1]
    prompts = [prompt_ids(tokenizer, q.messages) for q in asked]
    chat.score(asked[:1])
    held = high_water(reset=True)
    answers: dict[int, tuple[float, ...]] = {}
    batches = chat.batches(asked)

    def run() -> None:
        for rows in chat.batches(asked):
            answers.update(zip(rows, (a.logprobs for a in chat.score([asked[row] for row in rows])), strict=True))

    ours, top = clock(len(asked), run), high_water()
    chat.release()

    model = plain(path)
    size = sum(p.numel() * p.element_size() for p in model.parameters()) / 1e9
    gflops = useful(model, prompts, batches) / ours.seconds
    sample = random.Random(2).sample(range(len(prompts)), min(given.rival, len(prompts)))
    single = clock(len(sample), lambda: [last_logits(model, [prompts[n]]) for n in sample])
    padded_rows = [prompts[n] for n in islice(range(len(prompts)), 16)]
    padded = clock(len(padded_rows), lambda: last_logits(model, padded_rows))
    model = model.float()
    replies = [tokenizer(choice, add_special_tokens=False)["input_ids"] for choice in CHOICES]
    off = max(
        abs(math.exp(x) - math.exp(y))
        for n in sample[:4]
        for x, y in zip(answers[n], reference(model, prompts[n], replies), strict=True)
    )

    print(f"{given.model} in {precision()}, {torch.get_num_threads()} threads, matrix products at {best:.0f} GFLOP/s")
    print(f"{given.comparisons} comparisons x {given.principles} principles x 2 orders, {sum(map(len, prompts)) / len(prompts):.0f} tokens each")
    print(f"caif: {ours.per_second:.2f} evaluations/s, {gflops:.0f} useful GFLOP/s = {gflops / best:.0%} of the machine's")
    print(f"one pass an evaluation: {single.per_second:.2f}/s; caif is {ours.per_second / single.per_second:.1f} times as fast")
    print(f"padded batches of 16:   {padded.per_second:.2f}/s; caif is {ours.per_second / padded.per_second:.1f} times as fast")
    del model
    rival = llama_cpp(given.model, prompts[: given.principles])
    if isinstance(rival, str):
        print(f"llama.cpp: skipped, {rival}")
    else:
        print(f"llama.cpp, prefix kept: {rival.per_second:.2f}/s; caif is {ours.per_second / rival.per_second:.1f} times as fast")
    print(f"P(choice) at most {off:.1e} from a float32 pass of its own")
    print(f"memory: {held:.1f} GB before, {top:.1f} GB at the top; the weights are {size:.1f} GB")


if __name__ == "__main__":
    main()
