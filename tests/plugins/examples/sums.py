"""Prompts that a program makes."""

from collections.abc import Iterator

import caif
from caif.hookspecs import PromptSource


def sums(count: int = 20) -> PromptSource:
    """Ask for the first sums of a number with itself."""

    def source() -> Iterator[caif.Prompt]:
        for n in range(count):
            yield caif.Prompt.of(f"What is {n} + {n}?", tags=["sums"], source="sums")

    return source


@caif.hookimpl
def caif_prompts():
    return {"sums": sums}
