"""How long `combine` takes for so many preference rows, and what memory: the whole stage, near-duplicates and fusing too.

A fifth of the rows are near-duplicates of other ones: a word changed here and there, the answers in either order. Beside it
stands a floor measured in the same run: reading the same Parquet and writing it again, which checks and says nothing. Run
it with the numbers of rows, and with `keep` to leave the labels unfused:

    python tests/bench/bench_combine.py 10000 100000 1000000
    python tests/bench/bench_combine.py keep 100000
"""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from machine import WORDS, high_water

from caif import plugins
from caif.config import Combine, Prompts, RunConfig, Source
from caif.data import Origin, Preference
from caif.mixture.ids import ids, prompt_ids
from caif.mixture.rows import replaced
from caif.run import Run, Work
from caif.stages.combine import combine
from caif.tables import schema_of

PLANTED = 0.2
PART = 20_000
RECENT = 20_000
"""Near-duplicates are of one of the last so many rows, so that the bench itself holds few."""
VOCABULARY = [f"{a}{b}" for a in WORDS for b in WORDS]


def text(rng: random.Random, low: int, high: int) -> str:
    """Return some words that mean nothing."""
    return " ".join(rng.choices(VOCABULARY, k=rng.randint(low, high)))


def changed(rng: random.Random, said: str) -> str:
    """Return the text with a word of it replaced."""
    several = said.split()
    several[rng.randrange(len(several))] = "otherwise"
    return " ".join(several)


def made(count: int) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Yield rows part by part, and of which row each is a near-duplicate (-1: of none)."""
    rng = random.Random(0)
    known: list[tuple[int, str, str, str]] = []
    for start in range(0, count, PART):
        prompts, chosen, rejected, twin = [], [], [], []
        for at in range(start, min(start + PART, count)):
            if known and rng.random() < PLANTED:
                n, p, a, b = rng.choice(known)
                a, b = changed(rng, a), changed(rng, b)
                a, b = (b, a) if rng.random() < 0.5 else (a, b)
            else:
                n, (p, a, b) = -1, (text(rng, 8, 40), text(rng, 15, 80), text(rng, 15, 80))
                known = known[-RECENT:] if len(known) > 2 * RECENT else known
                known.append((at, p, a, b))
            twin.append(n)
            prompts.append(p), chosen.append(a), rejected.append(b)
        yield rows(prompts, chosen, rejected, rng), np.array(twin)


def rows(prompts: list[str], chosen: list[str], rejected: list[str], rng: random.Random) -> pa.Table:
    """Return preferences as they are stored."""
    messages = [[{"role": "user", "content": text}] for text in prompts]
    count = len(prompts)
    columns: dict[str, Any] = {
        "id": [""] * count,
        "prompt": [
            {"id": n, "messages": m, "tags": [], "source": "", "split": "train"}
            for n, m in zip(prompt_ids(pa.array(messages)).to_pylist(), messages, strict=True)
        ],
        "chosen": chosen, "rejected": rejected, "probability": [rng.uniform(0.5, 1) for _ in range(count)],
        "weight": [1.0] * count, "objective": ["helpfulness"] * count, "principle": ["p"] * count,
        "source": ["ai"] * count, "rater": rng.choices(["one", "two", "three"], k=count), "resolution": [""] * count,
        "origin": [Origin(law="l", order="both", tokens_in=400).model_dump()] * count,
    }  # fmt: skip
    table = pa.Table.from_pydict(columns, schema_of(Preference))
    return replaced(table, id=ids(Preference, table))


def floor(source: Path, target: Path) -> float:
    """Return the seconds that reading a file and writing it again takes."""
    started = time.perf_counter()
    with pq.ParquetFile(source) as read, pq.ParquetWriter(target, read.schema_arrow, compression="zstd") as write:
        for batch in read.iter_batches(PART):
            write.write_batch(batch)
    return time.perf_counter() - started


def bench(count: int, cfg: Combine, home: Path) -> str:
    """Return the line of one size."""
    twins = []

    def collect(work: Work, *_: Any, cfg: Any) -> dict[str, Any]:
        del cfg
        with pq.ParquetWriter(
            work.draft.folder / "preference.parquet", schema_of(Preference), compression="zstd"
        ) as file:
            for table, twin in made(count):
                file.write_table(table)
                twins.append(twin)
        work.draft.counts["preference"] = count
        return {}

    def prompts(work: Work, *_: Any, cfg: Any) -> dict[str, Any]:
        del work, cfg
        return {}

    collect.version = prompts.version = 1  # type: ignore[attr-defined]
    config = RunConfig(
        name="bench",
        constitution=Path("law.toml"),
        prompts=Prompts(use="jsonl"),
        feedback=(Source(use="pairs", name="ai"),),
    )
    run = Run(config, home, plugins.load())
    asked = run.build(prompts, cfg=config.prompts)
    source = run.build(collect, cfg=config.feedback[0], name="ai")
    assert source is not None
    least = floor(source.folder / "preference.parquet", home / "again.parquet")
    high_water(reset=True)
    started, cpu = time.perf_counter(), time.process_time()
    mixture = run.build(combine, asked, source, cfg=cfg)
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = high_water()
    assert mixture is not None
    told = f"{count:>9,} rows: {wall:6.1f} s wall, {cpu:6.1f} s CPU ({count / wall:,.0f} rows/s), {peak:.2f} GB at most"
    told += f"; floor {least:.1f} s (x{wall / least:.0f})"
    told += "; " + recall(np.concatenate(twins), source.folder, mixture.folder)
    return told


def recall(twin: np.ndarray, source: Path, mixture: Path) -> str:
    """Return how many of the planted near-duplicates were found, and how many others were taken for ones."""
    names = pq.read_table(source / "preference.parquet", columns=["id"])["id"].to_pylist()
    left = set(pq.read_table(mixture / "rejected.parquet", columns=["where"])["where"].to_pylist())
    if (mixture / "evidence.parquet").is_file():  # a fused row is another row than its label
        evidence = pq.read_table(mixture / "evidence.parquet", filters=[("how", "=", "fused"), ("row", "in", left)])
        left = set(evidence["came_from"].to_pylist())
    family = np.where(twin >= 0, twin, np.arange(len(twin)))  # rows that are near-duplicates of each other
    gone = np.array([name in left for name in names])
    size, out = np.bincount(family), np.bincount(family, gone)
    planted = int((size - 1)[size > 1].sum())
    found = int(np.minimum(out, size - 1)[size > 1].sum())
    return f"{found / planted:.2%} of {planted:,} planted found, {(int(gone.sum()) - found) / (len(names) - planted):.3%} false"


def main() -> None:
    """Run every size in a process of its own, so that one's memory is not another's."""
    sizes = [argument for argument in sys.argv[1:] if argument.isdigit()] or ["10000", "100000", "1000000"]
    contradictions: Literal["keep", "fuse"] = "keep" if "keep" in sys.argv else "fuse"
    if len(sizes) > 1:
        for size in sizes:
            subprocess.run([sys.executable, __file__, size, contradictions], check=True)
        return
    with tempfile.TemporaryDirectory() as home:
        print(
            bench(int(sizes[0]), Combine(near_duplicates="drop", contradictions=contradictions), Path(home)), flush=True
        )


if __name__ == "__main__":
    main()
