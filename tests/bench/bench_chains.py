"""Critique-revision chains turn by turn in one batch, beside one chain at a time with transformers' `generate`, in one run.

    python tests/bench/bench_chains.py [--model embedded:0.5b] [--chains 32] [--rival 3]

A chain is a first answer, a critique and a revision, of 48, 20 and 64 tokens as in the quickstart; the rival is timed on
a sample of chains. Neither stops at an end of turn, so both write the same number of tokens.
"""

import argparse
from collections.abc import Callable
from importlib.resources import files

from bench_generate import by_transformers, talks
import torch
from machine import clock, peak, plain

from caif.config import ModelSpec
from caif.constitution import read
from caif.models.encode import prompt_ids
from caif.models.kernel.decoding import decode
from caif.models.local import LocalChat, precision
from caif.models.resolve import folder

ANSWER, CRITIQUE, REVISION = 48, 20, 64
Talk = list[dict[str, str]]


def chains(firsts: list[Talk], write: Callable[[list[Talk], int], list[str]]) -> None:
    """Write a first answer, a critique and a revision for each prompt, all chains turn by turn."""
    law = read(str(files("caif") / "quickstart" / "constitution.toml")).principles[0]
    talk = firsts
    for said, tokens in ((law.critique, ANSWER), (law.revision, CRITIQUE), ("", REVISION)):
        replies = write(talk, tokens)
        talk = [
            [*t, {"role": "assistant", "content": r}, {"role": "user", "content": said}]
            for t, r in zip(talk, replies, strict=True)
        ]


def main() -> None:
    """Print rates and the ratio."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--model", default="embedded:0.5b")
    cli.add_argument("--chains", type=int, default=32)
    cli.add_argument("--rival", type=int, default=2, help="chains that the rival is timed on")
    given = cli.parse_args()
    path, asked = folder(ModelSpec(use=given.model)), talks(given.chains)
    chat = LocalChat(folder=path)
    tokenizer = chat.parts()[1]

    def ours(talk: list[Talk], tokens: int) -> list[str]:
        prompts = [prompt_ids(tokenizer, t) for t in talk]
        return tokenizer.batch_decode(decode(chat.parts()[0], prompts, tokens, 1.0, 0, lambda _: False))

    print(f"{given.model} in {precision()}, {torch.get_num_threads()} threads, matrix products at {peak():.0f} GFLOP/s")
    mine = clock(given.chains, lambda: chains(asked, ours))
    print(f"caif: {given.chains} chains in step, {60 * mine.per_second:.1f} chains a minute")
    chat.release()
    rival = plain(path)

    def theirs(talk: list[Talk], tokens: int) -> list[str]:
        prompt = prompt_ids(tokenizer, talk[0])
        return [tokenizer.decode(by_transformers(rival, [prompt], tokens)[0, len(prompt) :])]

    other = clock(given.rival, lambda: [chains([talk], theirs) for talk in asked[: given.rival]])
    print(
        f"one at a time: {60 * other.per_second:.1f} a minute; caif is {mine.per_second / other.per_second:.1f} times as fast"
    )


if __name__ == "__main__":
    main()
