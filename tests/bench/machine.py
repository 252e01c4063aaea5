"""What the benches share: the machine's own matrix product, a clock, peak memory, made-up texts and the rival's model."""

import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from caif.data import Comparison, Prompt
from caif.models.local import device, load, precision
from caif.models.memory import hold

_TEXT = (
    "a the of to and in is for when most people water light heat price time day small large because it then often while "
    "which plant stone road paper metal glass less more even after before under between long short bread salt oil wind "
    "rain season house tool rule page letter number answer reason part whole side point line place way work turn"
)
WORDS = _TEXT.split()


class Rate(NamedTuple):
    """How much was done in how many seconds."""

    done: float
    seconds: float

    @property
    def per_second(self) -> float:
        """The rate itself."""
        return self.done / self.seconds


def clock(done: float, work: Callable[[], Any]) -> Rate:
    """Return the rate of one run."""
    started = time.perf_counter()
    work()
    return Rate(done, time.perf_counter() - started)


def peak() -> float:
    """Return the best rate of a plain matrix product here, in GFLOP/s, in the precision that caif loads models in."""
    hold()  # as loading a model does before its first product: oneDNN reads once how much it may keep
    best = 0.0
    for rows, inner, columns in ((2048, 2048, 2048), (4096, 896, 4864), (4096, 1536, 8960)):
        a = torch.randn(rows, inner, dtype=precision(), device=device())
        b = torch.randn(inner, columns, dtype=precision(), device=device())
        for _ in range(4):
            best = max(best, clock(2e-9 * rows * inner * columns, lambda a=a, b=b: a @ b).per_second)
    return best


def plain(folder: str) -> Any:
    """Return the model as transformers runs it, for the rivals."""
    return load(folder)[0]


def weights(model: Any) -> int:
    """Return how many weights every token of a pass is multiplied with; the output matrix is apart."""
    return sum(m.weight.numel() for m in model.base_model.modules() if isinstance(m, torch.nn.Linear))


def high_water(reset: bool = False) -> float:
    """Return the process's peak memory in GB since it was last reset, where Linux tells it."""
    if not Path("/proc/self/clear_refs").exists():
        return float("nan")
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found.group(1)) / 1e6 if found else float("nan")


def text(rng: random.Random, words: int) -> str:
    """Return some sentences that mean nothing and have as many words as asked for."""
    parts = []
    while words > 0:
        size = min(words, rng.randint(6, 16))
        parts.append(" ".join(rng.choices(WORDS, k=size)).capitalize() + ".")
        words -= size
    return " ".join(parts)


def comparisons(count: int) -> list[Comparison]:
    """Return comparisons of two answers of 100 to 300 tokens each: of these words nearly all are one token."""
    rng = random.Random(0)
    made = []
    for _ in range(count):
        prompt = Prompt.of(text(rng, rng.randint(10, 40)))
        made.append(Comparison(prompt=prompt, a=text(rng, rng.randint(85, 260)), b=text(rng, rng.randint(85, 260))))
    return made
