"""Answering a batch of prompts: caif's decoding beside transformers' own batched `generate`, prompts included, in one run.

    python tests/bench/bench_generate.py [--model embedded:0.5b] [--rows 32] [--tokens 48]

Neither stops at an end of turn, so both write exactly as many tokens; both in the precision that caif loads models in.
"""

import argparse
import json
from importlib.resources import files

import torch
from machine import clock, peak, plain
from transformers import GenerationConfig

from caif.config import ModelSpec
from caif.models.encode import prompt_ids
from caif.models.kernel.decoding import decode
from caif.models.local import LocalChat, precision
from caif.models.resolve import folder


def talks(rows: int) -> list[list[dict[str, str]]]:
    """Return that many conversations of the quickstart, again from the first when there are no more."""
    lines = (files("caif") / "quickstart" / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line)["messages"] for line in lines if line]
    return [found[n % len(found)] for n in range(rows)]


def by_transformers(model: object, prompts: list[list[int]], tokens: int) -> object:
    """Answer a padded batch as transformers does."""
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts], device=model.device)  # type: ignore[attr-defined]
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=ids.device)
    config = GenerationConfig(
        max_new_tokens=tokens, min_new_tokens=tokens, do_sample=True, top_k=0, repetition_penalty=1.0, pad_token_id=0
    )
    with torch.inference_mode():
        return model.generate(ids, attention_mask=mask, generation_config=config)  # type: ignore[attr-defined]


def main() -> None:
    """Print rates and the ratio."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--model", default="embedded:0.5b")
    cli.add_argument("--rows", type=int, default=32)
    cli.add_argument("--tokens", type=int, default=48)
    given = cli.parse_args()
    path, written = folder(ModelSpec(use=given.model)), given.rows * given.tokens
    chat = LocalChat(folder=path)
    prompts = [prompt_ids(chat.parts()[1], talk) for talk in talks(given.rows)]

    def ours(tokens: int) -> None:
        decode(chat.parts()[0], prompts, tokens, 1.0, 0, lambda _: False)

    print(f"{given.model} in {precision()}, {torch.get_num_threads()} threads, matrix products at {peak():.0f} GFLOP/s")
    print(f"{given.rows} prompts of {sum(map(len, prompts)) / given.rows:.0f} tokens, {given.tokens} new tokens each")
    decode(chat.parts()[0], prompts[:2], 2, 1.0, 0, lambda _: False)
    reading = clock(given.rows, lambda: ours(1))
    mine = clock(written, lambda: ours(given.tokens))
    print(f"caif: {mine.per_second:.1f} tokens/s; reading the prompts took {reading.seconds / mine.seconds:.0%} of it")
    chat.release()
    rival = plain(path)
    by_transformers(rival, prompts[:2], 2)
    theirs = clock(written, lambda: by_transformers(rival, prompts, given.tokens))
    print(
        f"transformers: {theirs.per_second:.1f} tokens/s; caif is {mine.per_second / theirs.per_second:.1f} times as fast"
    )


if __name__ == "__main__":
    main()
