"""Critique-revision chains in batches, beside one chain at a time with transformers' `generate`, in one run.

    python tests/bench/bench_chains.py [--model embedded:0.5b] [--chains 32] [--rival 2] [--examples 3]

A chain is a first answer, a critique and a revision, of 48, 20 and 64 tokens as in the quickstart, asked as the stages
ask: first answers are one stage, and a revision goes on from what was computed for its critique. It is measured as in the
quickstart, and with few-shot examples before the critique, as in Bai et al. 2022. The rival is timed on a sample of
chains. Neither stops at an end of turn, so both write the same number of tokens.
"""

import argparse
from collections.abc import Callable
from importlib.resources import files
from random import Random

import torch
from bench_generate import by_transformers, talks
from machine import Rate, clock, peak, plain, text

from caif import critic
from caif.config import ModelSpec
from caif.constitution import Constitution, read
from caif.critic.talk import Talk
from caif.data import Prompt
from caif.models.encode import prompt_ids
from caif.models.kernel.decoding import decode
from caif.models.kernel.past import Past
from caif.models.local import LocalChat, precision
from caif.models.resolve import folder

ANSWER, CRITIQUE, REVISION = 48, 20, 64
Write = Callable[[list[Talk], int, Past | None], list[str]]


def shots(law: Constitution, count: int) -> Talk:
    """Return dialogues of the usual length that mean nothing."""
    rng = Random(0)
    made = [
        critic.Example(principle=p.id, prompt=text(rng, 15), answer=text(rng, 45), critique=text(rng, 30), revision=text(rng, 50))
        for p in (law.principles * count)[:count]
    ]  # fmt: skip
    return [message for example in made for message in critic.shots(example, law, may_end=False)]


def chains(prompts: list[Prompt], law: Constitution, examples: Talk, write: Write) -> None:
    """Write a first answer, a critique and a revision for each prompt, all chains turn by turn."""
    rule, past = law.principles[0], Past()
    answers = write([prompt.chat for prompt in prompts], ANSWER, None)
    asked = [
        critic.critique_messages(p, a, rule, examples, may_end=False) for p, a in zip(prompts, answers, strict=True)
    ]
    critiques = write(asked, CRITIQUE, past)
    write([critic.revision_messages(t, c, rule) for t, c in zip(asked, critiques, strict=True)], REVISION, past)


def main() -> None:
    """Print rates and the ratios."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--model", default="embedded:0.5b")
    cli.add_argument("--chains", type=int, default=32)
    cli.add_argument("--rival", type=int, default=2, help="chains that the rival is timed on")
    cli.add_argument("--examples", type=int, default=3)
    given = cli.parse_args()
    path, prompts = folder(ModelSpec(use=given.model)), [Prompt(messages=talk) for talk in talks(given.chains)]
    law = read(str(files("caif") / "quickstart" / "constitution.toml"))
    chat = LocalChat(folder=path)
    tokenizer = chat.parts()[1]
    settings = {"as in the quickstart": [], f"with {given.examples} examples": shots(law, given.examples)}

    def ours(asked: list[Talk], tokens: int, past: Past | None) -> list[str]:
        ids = [prompt_ids(tokenizer, talk) for talk in asked]
        return list(tokenizer.batch_decode(decode(chat.parts()[0], ids, tokens, 1.0, 0, lambda _: False, past)))

    print(f"{given.model} in {precision()}, {torch.get_num_threads()} threads, matrix products at {peak():.0f} GFLOP/s")
    ours([prompts[0].chat], 2, None)
    mine = {
        name: clock(given.chains, lambda some=some: chains(prompts, law, some, ours)) for name, some in settings.items()
    }
    chat.release()
    rival = plain(path)

    def theirs(asked: list[Talk], tokens: int, _: Past | None) -> list[str]:
        ids = prompt_ids(tokenizer, asked[0])
        return [tokenizer.decode(by_transformers(rival, [ids], tokens)[0, len(ids) :])]

    def alone(examples: Talk) -> Rate:
        return clock(given.rival, lambda: [chains([p], law, examples, theirs) for p in prompts[: given.rival]])

    theirs([prompts[0].chat], 2, None)
    for name, some in settings.items():
        other, own = alone(some).per_second, mine[name].per_second
        each = f"{60 * own:.1f} chains a minute in batches, {60 * other:.1f} one at a time"
        print(f"{name}: {each}; caif is {own / other:.1f} times as fast")


if __name__ == "__main__":
    main()
