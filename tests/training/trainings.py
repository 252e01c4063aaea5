"""Short trainings of six steps, one of each kind, for tests that kill them or share them; also a program that does so.

`python trainings.py kill MODEL HOME KIND…` trains each kind in a process of its own that is killed in its fourth step, and
`python trainings.py share MODEL HOME KIND…` trains each in two processes. It imports all that is heavy once, and forks.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import rl_parts

from caif import plugins, processes
from caif.config import ModelSpec, Reward, RunConfig, Sft
from caif.content import Row, digest
from caif.data import Preference, Prompt, Rating, Revision, Turn
from caif.run import Run, Tell
from caif.sections.offline import Dpo, Kto
from caif.stages import dpo, kto, reward, rl, rloo, sft
from caif.store import Artifact

PROMPTS = [Prompt.of(f"What about number {n}, please?") for n in range(4)]


class Heard(Tell):
    """Keeps the steps that are told, and has the process killed when so many have been."""

    def __init__(self, killed_at: int = 0) -> None:
        self.killed_at, self.told = killed_at, 0
        self.losses: dict[int, float] = {}

    def step(self, label: str, done: int, total: int, **numbers: float) -> None:
        """Keep it, or die before it can be kept on disk."""
        assert total == 6, label
        self.losses[done] = numbers["loss"]
        self.told += 1
        if self.told == self.killed_at:
            os.kill(os.getpid(), signal.SIGKILL)


def _made(run: Run, *tables: Sequence[Row]) -> Artifact:
    key = digest([row.id for rows in tables for row in rows])
    if not processes.first():
        return processes.awaited(lambda: run.store.find("made", key))
    if found := run.store.find("made", key):
        return found
    draft = run.store.draft("made", key)
    for rows in tables:
        draft.write(rows, type(rows[0]))
    return run.store.finish(draft, {"stage": "made", "by": "made", "key": key, "counts": draft.counts, "metrics": {}})


def _pairs(run: Run) -> Artifact:
    rows = [
        Preference(
            prompt=Prompt.of(f"Why {n}?"),
            chosen="yes " * (n % 3 + 1),
            rejected="no " * 9,
            probability=0.9,
            objective="o",
        )
        for n in range(8)
    ]
    return _made(run, rows)


def _sft(run: Run, model: ModelSpec) -> Artifact | None:
    turns = (Turn(principle="p", critique="c", revision="yes, surely"),)
    rows = [Revision(prompt=Prompt.of(f"Why {n}?"), first="no", turns=turns, final=f"yes, {'x' * n}") for n in range(8)]
    return run.build(sft.sft, _made(run, rows), cfg=Sft(model=model, rank=2, epochs=3, batch=4, learning_rate=1e-2))


def _reward(run: Run, model: ModelSpec, **fields: Any) -> Artifact | None:
    cfg = Reward(model=model, rank=2, epochs=3, batch=4, at_once=2, decay=0.1, learning_rate=1e-2, **fields)
    return run.build(reward.reward, _pairs(run), cfg=cfg)


def _rl(run: Run, model: ModelSpec, **fields: Any) -> Artifact | None:
    paid = {
        "rewards": {"letter": {"use": "vowels"}, "long": {"use": "length"}},
        "constraints": {"long": {"at_most": 3, "delay": 1}},
        "weights": {"letter": {"linear": [[0, 1.0], [6, 2.0]]}},
        "target_kl": 40.0,
    }
    cfg = rl_parts.small(model, steps=6, learning_rate=1e-3, **{**paid, **fields})
    return run.build(rl.rl, _made(run, PROMPTS), None, None, cfg=cfg)


def _rloo(run: Run, model: ModelSpec) -> Artifact | None:
    cfg = rl_parts.small(model, steps=6, learning_rate=1e-3, rewards={"letter": {"use": "vowels"}})
    return run.build(rloo.rloo, _made(run, PROMPTS), None, None, cfg=cfg)


def _dpo(run: Run, model: ModelSpec) -> Artifact | None:
    return run.build(dpo.dpo, _pairs(run), cfg=Dpo(model=model, rank=2, epochs=3, batch=4, learning_rate=1e-2))


def _kto(run: Run, model: ModelSpec) -> Artifact | None:
    rows = [
        Rating(prompt=Prompt.of(f"Why {n}?"), completion="yes " * (n + 1), up=n % 2 == 0, objective="o", rater="r")
        for n in range(8)
    ]
    return run.build(kto.kto, _made(run, rows), cfg=Kto(model=model, rank=2, epochs=3, batch=4, learning_rate=1e-2))


KINDS: dict[str, Callable[[Run, ModelSpec], Artifact | None]] = {
    "sft": _sft, "reward": _reward, "reward-two": lambda run, model: _reward(run, model, ensemble=2), "rl": _rl, "rl-twice": lambda run, model: _rl(run, model, updates=2),
    "rloo": _rloo, "dpo": _dpo, "kto": _kto,
}  # fmt: skip
KILLED = {"reward-two": 10}
"""After how many steps a kind is killed, if not after four: here it is the fourth of the second member."""


def train(kind: str, model: Path, home: Path, tell: Tell | None = None, every: float = 0.0) -> Artifact:
    """Train one kind in a home folder; a checkpoint is kept after every step."""
    given: dict[str, Any] = {"prompts": {"use": "none"}, "exec": {"checkpoint_every": every}}
    config = RunConfig(name="test", constitution=home / "law.toml", seed=3, **given)
    run = Run(config, home, plugins.load(objects=[rl_parts]), tell=tell or Tell())
    try:
        found = KINDS[kind](run, ModelSpec(use=f"hf:{model}"))
    finally:
        run.close()
    assert found is not None
    return found


def same_answers(monkeypatch: Any) -> None:
    """Have GRPO sample the same answers to a prompt whichever process asks."""
    from caif.training.reinforcing import Grpo

    def said(self: Any, prompt_ids: list[list[int]], *_: Any) -> tuple[list[list[int]], None]:
        answers = []
        for n, ids in enumerate(prompt_ids):
            draw = random.Random(f"{self.state.global_step} {ids} {prompt_ids[:n].count(ids)}")
            answers.append([draw.randrange(5, 300) for _ in range(draw.randrange(3, 8))])
        return answers, None

    monkeypatch.setattr(Grpo, "_generate_single_turn", said)


def program(way: str, model: Path, home: Path, *kinds: str) -> dict[str, list[int]]:
    """Run this file as a program; return how the processes of each kind ended."""
    done = subprocess.run(
        [sys.executable, __file__, way, str(model), str(home), *kinds],
        check=True, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=500,
    )  # fmt: skip
    sys.stderr.write(done.stderr)
    return {kind: list(map(int, codes)) for kind, *codes in map(str.split, done.stdout.splitlines())}


def _forked(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        signal.alarm(400)  # should the other process have failed, this one would wait for it
        try:
            work()
            code = 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)
    return child


def _shared(kind: str, model: Path, home: Path, rank: int, port: int) -> None:
    """Train as one of two processes, and write down its losses and what it wrote elsewhere."""
    import pytest

    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    written: list[str] = []

    def audit(event: str, given: tuple[Any, ...]) -> None:
        if event == "open" and str(given[0]).startswith(str(home)) and (given[2] or 0) & (os.O_WRONLY | os.O_RDWR):
            written.append(str(given[0]).removeprefix(str(home)))

    sys.addaudithook(audit)
    heard = Heard()
    with pytest.MonkeyPatch.context() as patched:
        same_answers(patched)
        train(kind, model, home, heard, every=1e9)
    rows = [f"step {n}: {chat[-1]['content']}" for n, seen in enumerate(rl_parts.SEEN) for chat in seen["prompts"]]
    told = {"losses": list(heard.losses.values()), "written": written, "rows": rows}
    (home.parent / f"{kind}-{rank}.json").write_text(json.dumps(told))


def main(way: str, model: Path, home: Path, kinds: Sequence[str]) -> None:
    """Do as the docstring says; print how each process ended."""
    import torch

    from caif.training import dpo, kto, reinforcing, rloo, tuning  # noqa: F401 - once, for all that are forked

    torch.set_num_threads(1)
    for kind in kinds:
        if way == "kill":
            children = [_forked(partial(train, kind, model, home, Heard(killed_at=KILLED.get(kind, 4))))]
        else:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            children = [_forked(partial(_shared, kind, model, home / kind, rank, port)) for rank in (0, 1)]
        print(kind, *(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
