"""How many rows a second `caif feedback import` and `scrub` do, and that their memory does not grow with the file.

Beside them stands the floor: the same lines through `json.loads` and `json.dumps` and into a file. Run it with the number
of rows, 100,000 by default; peak memory is told for a tenth of them and for all of them, each in a process of its own.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from caif.feedback.bringing import bring
from caif.feedback.outfile import rows_of
from caif.feedback.scrub import Scrubbed, scrub
from caif.formats.caif_rows import caif_rows
from caif.formats.jsonl import lines

_TEXT = "the of water light 42 price road paper 3.11 metal answer people larger 2024-01-02 because then"
WORDS = _TEXT.split()


class Took(NamedTuple):
    """What one way took: CPU seconds, and the peak of memory in MB."""

    seconds: float
    memory: float


def rows(file: Path, count: int) -> None:
    """Write thumbs with answers of 60 words; one in 20 names an address, one in 50 cannot be used."""
    rng = random.Random(0)
    with file.open("w", encoding="utf-8") as handle:
        for n in range(count):
            answer = " ".join(rng.choices(WORDS, k=60)) + (f" ann{n}@example.org" if n % 20 == 0 else "")
            row = {
                "prompt": f"What is thing {n} good for?",
                "completion": answer,
                "up": n % 3 > 0,
                "rater": f"user-{n % 500}",
            }
            handle.write(json.dumps(row | ({"up": 1} if n % 50 == 0 else {})) + "\n")


def floor(file: Path, out: Path) -> None:
    """Parse and write the lines, and nothing more."""
    with file.open(encoding="utf-8") as source, out.open("w", encoding="utf-8") as target:
        for line in source:
            target.write(json.dumps(json.loads(line), ensure_ascii=False) + "\n")


def imported(file: Path, out: Path) -> None:
    """Do what `caif feedback import` does."""
    bring(caif_rows()(file), file, out, "quarantine")


def scrubbed(file: Path, out: Path) -> None:
    """Do what `caif feedback scrub` does."""
    with rows_of(out) as put:
        for row in scrub(lines(file), Scrubbed()):
            put(row)


WAYS = {"floor": floor, "import": imported, "scrub": scrubbed}


def measure(way: str, file: Path) -> Took:
    """Return what a way took, in a process of its own."""
    said = subprocess.run([sys.executable, __file__, way, str(file)], check=True, capture_output=True, text=True).stdout
    return Took(*map(float, said.split()))


def main(count: int) -> None:
    """Print rows a CPU second and peak memory of each way."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few.jsonl", Path(folder) / "many.jsonl"
        rows(few, count // 10)
        rows(many, count)
        print(f"{count:,} rows, {many.stat().st_size / 1e6:.0f} MB")
        base = measure("floor", many)
        for way in WAYS:
            small, large = measure(way, few), base if way == "floor" else measure(way, many)
            print(f"{way}: {count / large.seconds:,.0f} rows a CPU second, {large.seconds / base.seconds:.1f} times the floor;"
                  f" peak {small.memory:.0f} MB for a tenth, {large.memory:.0f} MB for all")  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in WAYS:
        source = Path(sys.argv[2])
        started = time.process_time()
        WAYS[sys.argv[1]](source, source.with_suffix(f".{sys.argv[1]}.jsonl"))
        print(time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
