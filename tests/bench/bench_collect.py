"""How many comparisons a second go through `collect` with a judge that answers at once, and what memory that takes.

    python tests/bench/bench_collect.py [COMPARISONS, 100,000 by default]

Counted is the whole stage: read the sampled answers, pair them up, draw principles, ask in both orders (two questions a
comparison) through the ledger, and write judgements and preferences. Beside it stands its floor, measured in the same
run: the same rows written to Parquet and the same answers to SQLite, in large portions, and nothing else done. Time is
given as it passed and as the processor was busy; memory is the peak of a process that does nothing else, for a tenth of
the comparisons and for all of them.
"""

import re
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from caif import plugins
from caif.config import Exec, ModelSpec, Prompts, RunConfig, Source
from caif.constitution import Constitution, Principle
from caif.data import Completion, Judgement, Preference, Prompt
from caif.hookspecs import Answer, Question, hookimpl
from caif.ledger import Ledger
from caif.run import Run, Work
from caif.stages.collect import collect
from caif.store import Artifact, read_rows, table_name, write_rows

LAW = Constitution(
    name="bench",
    objectives={"honesty": "True."},
    principles=(Principle(id="true", objective="honesty", critique="Is it true?", revision="Make it true.", compare="Which is truer?"),),
)  # fmt: skip
WORDS = " ".join(["answer"] * 60)
PORTION = 5000


class Instant:
    """A judge behind no server: the verdict of a question is there as soon as it is asked."""

    async def ascore(self, question: Question) -> Answer:
        """Prefer a prompt's first sample."""
        text = question.messages[-1]["content"]
        better = (-0.1, -2.4) if text.rfind("0 answer") < text.rfind("1 answer") else (-2.4, -0.1)
        return Answer("", "stop", better, 200, 1)

    def score(self, questions: list[Question]) -> list[Answer]:
        """Offer what makes it a scorer."""
        raise NotImplementedError


@hookimpl
def caif_chat_models() -> dict[str, Any]:
    """Offer the judge."""
    return {"instant": lambda name: Instant()}


class Took(NamedTuple):
    """Seconds as they passed, seconds that the processor was busy, and the process's peak memory in MB."""

    wall: float
    busy: float
    peak: float

    def per_second(self, count: int) -> str:
        """Return both rates."""
        return f"{count / self.wall:,.0f} a second, {count / self.busy:,.0f} a busy second"


def took(work: Callable[[], Any]) -> Took:
    """Do it, and return what it took."""
    wall, busy = time.perf_counter(), time.process_time()
    work()
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return Took(wall, busy, int(found.group(1)) / 1e3 if found else float("nan"))


def opened(home: Path) -> Run:
    """Return a run with the judge."""
    config = RunConfig(
        name="bench", constitution=Path("law.toml"), prompts=Prompts(use="jsonl"), exec=Exec(concurrency=256)
    )
    return Run(config, home, plugins.load(objects=[SimpleNamespace(caif_chat_models=caif_chat_models)]))


def stage(name: str, build: Callable[[Work], Any]) -> Any:
    """Return a stage that does this."""

    def made(work: Work, *_: Any, cfg: Any) -> dict[str, Any]:
        build(work)
        return {}

    made.__name__, made.version = name, 1  # type: ignore[attr-defined]
    return made


def inputs(run: Run, count: int) -> list[Artifact | None]:
    """Make or find what collect reads: a constitution, prompts, and two answers a prompt of 60 words each."""

    def prompts() -> Any:
        return (Prompt.of(f"What is thing number {n} good for, and why would anybody want it?") for n in range(count))

    def sample(work: Work) -> None:
        rows = (
            Completion(prompt=p, text=f"{k} {WORDS} {p.id}", model="m", sample=k) for p in prompts() for k in (0, 1)
        )
        work.draft.write(rows, Completion)

    law = stage("constitution", lambda w: (w.draft.folder / "constitution.json").write_text(LAW.model_dump_json()))
    asked = stage("prompts", lambda w: w.draft.write(prompts(), Prompt))
    return [run.build(made, cfg=run.config.prompts) for made in (law, asked, stage("sample", sample))]


def prepare(count: int, home: Path) -> None:
    """Make what collect reads, in a process of its own: its memory is not counted."""
    run = opened(home)
    inputs(run, count)
    run.close()


def measure(count: int, home: Path) -> Took:
    """Return what the stage took."""
    run = opened(home)
    law, asked, samples = inputs(run, count)
    options = {"judge": ModelSpec(use="instant:it"), "per_prompt": 1, "selftest": "off", "canaries": 0}
    found = took(
        lambda: run.build(collect, law, asked, samples, None, None, cfg=Source(use="ai-labeler", options=options))
    )
    counts = run.built[-1].counts
    assert counts["judgement"] == counts["preference"] == count, counts
    run.close()
    return found


def floor(count: int, home: Path) -> Took:
    """Return what it took to write what the stage wrote, in large portions."""
    made = next(home.glob("store/collect-*"))
    kinds: tuple[Any, ...] = (Judgement, Preference)
    rows = {kind: read_rows(made / f"{table_name(kind)}.parquet", kind) for kind in kinds}
    answers = [(f"{n:032x}", Answer("", "stop", (-0.1, -2.4), 200, 1)) for n in range(2 * count)]
    ledger = Ledger(home / "floor.db")

    def write() -> None:
        for kind in kinds:
            write_rows(home / f"{table_name(kind)}.parquet", rows[kind], kind)
        for first in range(0, len(answers), PORTION):
            ledger.put(dict(answers[first : first + PORTION]), "m", "s")

    found = took(write)
    ledger.close()
    return found


def main() -> None:
    """Print rows a second, the floor, and memory."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    found = {}
    for size in (count // 10, count):
        with tempfile.TemporaryDirectory() as folder:
            apart(prepare, size, Path(folder))
            found[size] = apart(measure, size, Path(folder))
            least = apart(floor, size, Path(folder))
    all_of_them = found[count]
    print(f"{count:,} comparisons in {all_of_them.wall:.1f} s: {all_of_them.per_second(count)}")
    print(
        f"writing them alone: {least.per_second(count)}; collect takes {all_of_them.busy / least.busy:.1f} times as long"
    )
    print("; ".join(f"{size:,}: {one.peak:.0f} MB at most" for size, one in found.items()))


def apart(work: Callable[[int, Path], Any], count: int, home: Path) -> Any:
    """Do it in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, count, home).result()


if __name__ == "__main__":
    main()
