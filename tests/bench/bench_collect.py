"""How many comparisons a second go through `collect` with a judge that answers at once, and what memory that takes.

Counted is the whole stage: read the sampled answers, pair them up, draw principles, ask in both orders (two questions a
comparison) through the ledger, and write judgements and preferences. Beside it stands a bare asyncio loop that asks the
same judge the same number of questions and keeps nothing. Run it with the number of comparisons, 100,000 by default.
"""

import asyncio
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from caif import plugins
from caif.config import Exec, ModelSpec, Prompts, RunConfig, Source
from caif.constitution import Constitution, Principle
from caif.data import Completion, Prompt
from caif.hookspecs import Answer, Question, hookimpl
from caif.run import Run, Work
from caif.stages.collect import collect

LAW = Constitution(
    name="bench",
    objectives={"honesty": "True."},
    principles=(Principle(id="true", objective="honesty", critique="Is it true?", revision="Make it true.", compare="Which is truer?"),),
)  # fmt: skip


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


def resident() -> float:
    """Return the megabytes that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


class Peak:
    """The most megabytes that were held while the block lasted, sampled ten times a second."""

    def __enter__(self) -> "Peak":
        self.start = self.most = resident()
        self.over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()

    def _watch(self) -> None:
        while not self.over.wait(0.1):
            self.most = max(self.most, resident())


def stage(name: str, build: Any) -> Any:
    """Return a stage that does this."""

    def made(work: Work, *_: Any, cfg: Any) -> dict[str, Any]:
        build(work)
        return {}

    made.__name__, made.version = name, 1  # type: ignore[attr-defined]
    return made


def prepare(run: Run, count: int) -> list[Any]:
    """Make the artifacts that collect reads: a constitution, prompts, and two answers a prompt of 60 words each."""
    words = " ".join(["answer"] * 60)
    prompts = [Prompt.of(f"What is thing number {n} good for, and why would anybody want it?") for n in range(count)]
    samples = (Completion(prompt=p, text=f"{k} {words} {p.id}", model="m", sample=k) for p in prompts for k in (0, 1))
    law = stage("constitution", lambda w: (w.draft.folder / "constitution.json").write_text(LAW.model_dump_json()))
    asked, sampled = stage("prompts", lambda w: w.write(prompts, Prompt)), stage("sample", lambda w: w.write(list(samples), Completion))
    return [run.build(made, cfg=run.config.prompts) for made in (law, asked, sampled)]


async def bare(count: int, concurrency: int = 32) -> None:
    """Ask the judge so often and keep nothing."""
    judge, question = Instant(), Question("r", [{"role": "user", "content": "?"}], ("A", "B"))

    async def work(share: int) -> None:
        for _ in range(share):
            await judge.ascore(question)
            await asyncio.sleep(0)  # a server's answer comes by way of the event loop

    await asyncio.gather(*(work(count // concurrency) for _ in range(concurrency)))


def measure(count: int, home: Path) -> tuple[float, Peak]:
    """Return the seconds that the stage took, and its memory."""
    config = RunConfig(
        name="bench", constitution=Path("law.toml"), prompts=Prompts(use="jsonl"), exec=Exec(concurrency=256)
    )
    run = Run(config, home, plugins.load(objects=[SimpleNamespace(caif_chat_models=caif_chat_models)]))
    law, asked, samples = prepare(run, count)
    cfg = Source(use="ai-labeler", options={"judge": ModelSpec(use="instant:it"), "per_prompt": 1, "selftest": "off", "canaries": 0})
    with Peak() as peak:
        started = time.perf_counter()
        made = run.build(collect, law, asked, samples, None, None, cfg=cfg)
        seconds = time.perf_counter() - started
    run.close()
    assert made is not None
    assert made.counts["judgement"] == made.counts["preference"] == count, made.counts
    return seconds, peak


def main() -> None:
    """Print rows a second, memory, and the ratio to the bare loop."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        seconds, peak = measure(count, Path(folder))
    started = time.perf_counter()
    asyncio.run(bare(2 * count))
    loop = time.perf_counter() - started
    print(f"{count:,} comparisons in {seconds:.1f} s: {count / seconds:,.0f} a second ({2 * count / seconds:,.0f} questions)")
    print(f"memory: {peak.start:.0f} MB before, {peak.most:.0f} MB at most, {peak.most - peak.start:.0f} MB more")
    print(f"a bare loop over the same judge: {2 * count / loop:,.0f} questions a second; collect takes {seconds / loop:.0f} times as long")


if __name__ == "__main__":
    main()
