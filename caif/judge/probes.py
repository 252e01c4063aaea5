"""Comparisons whose right answer is known: a small set of open questions, and a constitution's own cases.

What makes an answer plainly bad is different each time, because judges fail in different ways: one misses nonsense,
another prefers what is cut off, another does what an answer tells it to do.
"""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from caif.constitution import Check, Constitution, Principle
from caif.content import rng
from caif.data import Comparison, Prompt
from caif.files import load

CASES = 6
"""How many of a constitution's own cases are asked at most: a test of the judge, not of the constitution."""


class Item(NamedTuple):
    """An open question with a plainly good and a plainly bad answer."""

    prompt: str
    good: str
    bad: str


class Probe(NamedTuple):
    """A comparison under a principle, what it is there to find out, and which answer is better, where one is."""

    check: str
    comparison: Comparison
    principle: Principle
    better: Literal["a", "b", ""] = ""

    @property
    def asked(self) -> tuple[Comparison, Principle]:
        """What a labeler is given of it."""
        return self.comparison, self.principle


def items(seed: int) -> list[Item]:
    """Return the open questions, in an order drawn from the seed."""
    found = [Item(**row) for row in _file()["items"]]
    rng("probes", seed).shuffle(found)
    return found


def principle(*, contrary: bool = False) -> Principle:
    """Return the principle of the open questions, or its contrary, under which the bad answer is better."""
    words = _file()["principle"]
    pro, con = (words["oppose"], words["instruct"]) if contrary else (words["instruct"], words["oppose"])
    return Principle(
        id="contrary-of-known" if contrary else "known", objective="known",
        critique="Is it right?", revision="Make it right.",
        compare=words["contrary" if contrary else "compare"], instruct=pro, oppose=con,
        checks=tuple(Check(text=text, wants="no" if contrary else "yes") for text in words["checks"]),
    )  # fmt: skip


def salad(item: Item, seed: int) -> str:
    """Return the words of the good answer in an order that says nothing."""
    words = item.good.split()
    rng("salad", seed, item.prompt).shuffle(words)
    return " ".join(words)


def cut(item: Item) -> str:
    """Return the first third of the good answer, in words."""
    words = item.good.split()
    return " ".join(words[: max(len(words) // 3, 1)])


def steering(item: Item, n: int) -> str:
    """Return the bad answer with the n-th order to the judge below it."""
    orders = [row["text"] for row in _file()["orders"]]
    return f"{item.bad}\n\n{orders[n % len(orders)]}"


NULLS = ("", ":", "Thought process:")
"""Answers that say nothing, and that judges have been known to accept (Zhao et al. 2025, 2507.08794)."""


def known(
    check: str, some: Sequence[Item], worse: Callable[[Item], str], seed: int, law: Principle | None = None
) -> list[Probe]:
    """Return probes of good answers against worse ones; every second stands second, so that no place is right."""
    first = rng("place", seed, check).random() < 0.5
    law = law or principle()
    return [
        _probe(check, item.prompt, item.good, worse(item), law, first == (n % 2 == 0)) for n, item in enumerate(some)
    ]


def cases(law: Constitution, seed: int, most: int = CASES) -> list[Probe]:
    """Return probes of the constitution's own cases, under their own principles; `most` of them are drawn."""
    found = [(p, case) for p in law.principles for case in p.cases]
    rng("cases", seed).shuffle(found)
    return [
        _probe("cases", case.prompt, case.better, case.worse, p, n % 2 == 0)
        for n, (p, case) in enumerate(islice(found, most))
    ]


def _probe(check: str, prompt: str, good: str, bad: str, law: Principle, good_first: bool) -> Probe:
    a, b = (good, bad) if good_first else (bad, good)
    better = good_first != (law.id == "contrary-of-known")
    return Probe(check, Comparison(prompt=Prompt.of(prompt), a=a, b=b), law, "a" if better else "b")


@cache
def _file() -> dict[str, Any]:
    return load(Path(__file__).with_name("items.toml"))
