"""The whole way on a tiny random model: every stage real, run twice."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from whole import run_file, tables

from caif import config, plugins
from caif.data import Judgement, Preference, Rating, Revision
from caif.recipe import constitutional
from caif.run import Run
from caif.stages.sft import targets

STAGES = [
    "constitution", "prompts", "generate", "revise", "sft", "sample", "ai-labeler", "critique-revise", "contrast",
    "thumbs", "combine", "reward", "rl", "evaluate", "report",
]  # fmt: skip


def new_run(file: Path, home: Path, *overrides: str) -> Run:
    return Run(config.read(file, overrides), home, plugins.load(), file.parent)


@pytest.fixture(scope="module", autouse=True)
def outside() -> Iterator[list[object]]:
    """Refuse whatever these runs try to reach, and remember it."""
    tried: list[object] = []

    def refuse(*address: object, **_: object) -> None:
        tried.append(address)
        raise OSError("nothing leaves this machine")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield tried


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    folder = tmp_path_factory.mktemp("whole")
    file = run_file(folder)
    run = new_run(file, folder / "home")
    constitutional(run)
    return file, run


def test_every_stage_is_built_once_in_order(done: tuple[Path, Run]) -> None:
    """The recipe makes each stage of the run file, in the order in which it reads."""
    assert done[1].made == STAGES


def test_a_second_run_builds_nothing_and_asks_nothing(done: tuple[Path, Run]) -> None:
    """What is finished is found again: no stage runs, no model is called."""
    file, first = done
    before = first.ledger.spent()
    again = new_run(file, first.home)
    report = constitutional(again)
    assert again.made == []
    assert report is not None
    assert again.ledger.spent() == before


def test_a_changed_labeler_keeps_everything_before_it(done: tuple[Path, Run]) -> None:
    """Two runs that differ in the labeler alone share prompts, drafts, revisions, the tuned model and its samples."""
    file, first = done
    other = new_run(file, first.home, "feedback.0.per_prompt=1", "feedback.0.votes=2")
    constitutional(other)
    assert other.made[0] == "ai-labeler"
    assert not set(other.made) & {"generate", "revise", "sft", "sample", "contrast"}


def test_the_same_seed_gives_the_same_bytes(done: tuple[Path, Run], tmp_path: Path) -> None:
    """Promise P6: another run with the same ledger and seed gives byte-identical tables."""
    file, first = done
    (tmp_path / "home").mkdir()
    with closing(sqlite3.connect(first.home / "ledger.db")) as ledger:
        ledger.execute("vacuum into ?", [str(tmp_path / "home" / "ledger.db")])
    again = new_run(file, tmp_path / "home")
    constitutional(again)
    mine, theirs = tables(first.home), tables(again.home)
    assert mine.keys() >= theirs.keys()
    assert again.ledger.spent() == first.ledger.spent(), "nothing is asked anew"
    assert [name for name in theirs if theirs[name] != mine[name]] == []


def test_each_label_leads_back_to_its_principle_and_judgement(done: tuple[Path, Run]) -> None:
    """No AI preference without a principle of the constitution and a judgement with that probability behind it."""
    labels = next(a for a in done[1].built if a.stage == "ai-labeler")
    behind = {(j.comparison.prompt.id, j.principle): j for j in labels.rows(Judgement)}
    for row in labels.rows(Preference):
        judgement = behind[row.prompt.id, row.principle]
        assert row.origin.raw == f"judgement {judgement.id}"
        assert row.origin.at == judgement.at
        assert judgement.at is not None
        assert judgement.p_a is not None
        assert row.probability == max(judgement.p_a, 1 - judgement.p_a)


def test_the_policy_loads_with_transformers(done: tuple[Path, Run]) -> None:
    """The trained policy is an ordinary folder for transformers and peft."""
    from transformers import AutoModelForCausalLM

    policy = next(a for a in done[1].built if a.by == "rl")
    assert AutoModelForCausalLM.from_pretrained(policy.model).num_parameters() > 0


def test_the_mixture_loads_with_datasets(done: tuple[Path, Run]) -> None:
    """The data set opens with `datasets.load_from_disk` and has TRL's columns first."""
    from datasets import load_from_disk

    mixture = next(a for a in done[1].built if a.by == "combine")
    data = load_from_disk(str(mixture.folder / "preference"))
    assert data["train"].column_names[:3] == ["prompt", "chosen", "rejected"]


def test_nothing_leaves_the_machine(done: tuple[Path, Run], outside: list[object]) -> None:
    """Promise P5: from prompts to report, no name is looked up and no connection tried."""
    assert done[1].made == STAGES
    assert outside == []


def test_no_critique_is_learnt(done: tuple[Path, Run]) -> None:
    """METHODS (b) 6: what tuning, reward model and RL learn from holds neither a critique nor the request for one."""
    of = {artifact.stage: artifact for artifact in done[1].built}
    chains, pairs = of["revise"].rows(Revision), of["combine"].rows(Preference)
    critiques = {turn.critique for chain in chains for turn in chain.turns if len(turn.critique) > 8}
    learnt = [answer for _, answer in targets(chains, "all")] + [row.completion for row in of["combine"].rows(Rating)]
    learnt += [text for row in pairs for text in (row.chosen, row.rejected, *(m.content for m in row.prompt.messages))]
    assert critiques
    assert learnt
    assert not [text for text in learnt if any(critique in text for critique in (*critiques, "Do not rewrite"))]
