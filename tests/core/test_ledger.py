"""The ledger keeps every answer it acknowledged, tells every question from every other, and fails in one sentence."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caif.errors import STOPPED, CaifError
from caif.hookspecs import Answer
from caif.ledger import Ledger, Spent

ANSWER = Answer("rain", "stop", (-0.1, -2.5), 3, 4, "2 attempts")
WRITER = """
import sys
from pathlib import Path
from caif.hookspecs import Answer
from caif.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
for n in range(10**9):
    answers = {f"{sys.argv[2]}-{n}-{k}": Answer(f"text {n} {k}", "stop") for k in range(3)}
    ledger.put(answers, "model", "stage")
    print(*answers, sep="\\n", flush=True)  # acknowledged: put has returned
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def filled(file: Path, count: int = 200) -> dict[str, Answer]:
    """Write a ledger that fills some pages, close it, and return what it holds."""
    answers = {f"key-{n}": Answer(f"answer {n} " * 20, "stop") for n in range(count)}
    ledger = Ledger(file)
    kept = ledger.put(answers, "m", "s")
    ledger.close()
    return kept


@given(st.text(), st.lists(st.floats(allow_nan=False), max_size=3), st.integers(0, 10**9))
@settings(deadline=None, max_examples=50)
def test_an_answer_comes_back_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, text: str, logprobs: list[float], tokens: int
) -> None:
    """Text, numbers to the last bit, infinities, NUL and lone surrogates."""
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.db")
    answers = {"a": Answer(text, "stop", tuple(logprobs), tokens, 0, text), "b": Answer("\ud800\0", "refused")}
    before = time.time()
    kept = ledger.put(answers, "m", "s")
    assert ledger.get(["a", "b", "c"]) == kept
    assert {key: answer._replace(at=None) for key, answer in kept.items()} == answers
    assert all(before <= (answer.at or 0) <= time.time() for answer in kept.values())
    ledger.close()


def test_answers_are_there_for_the_next_process(file: Path) -> None:
    """More keys than one query takes, asked for by another connection."""
    answers = filled(file, 1200)
    assert Ledger(file).get(["none", *answers, *answers]) == answers


def test_the_first_answer_stays(file: Path) -> None:
    """A key has one answer for ever: what was used once is what a resumed run uses."""
    ledger = Ledger(file)
    first = ledger.put({"k": ANSWER}, "m", "s")
    later = ledger.put({"k": ANSWER._replace(text="another"), "new": ANSWER}, "m", "s")
    assert later["k"] == first["k"] and later == ledger.get(["k", "new"])
    assert ledger.get(["k"]) == first


def test_a_failure_is_never_stored_nor_what_came_with_it(file: Path) -> None:
    """P3: an error says nothing, so it is asked again; a batch is stored whole or not at all."""
    ledger = Ledger(file)
    with pytest.raises(ValueError, match="is no answer"):
        ledger.put({"good": ANSWER, "bad": Answer("", "error", detail="TimeoutError")}, "m", "s")
    assert ledger.get(["good", "bad"]) == {}


def test_what_was_spent_is_counted_by_stage(file: Path) -> None:
    """The cost of a run is read from the answers themselves."""
    ledger = Ledger(file)
    ledger.put({"a": ANSWER, "b": ANSWER}, "m", "revise")
    ledger.put({"b": ANSWER, "c": ANSWER}, "m", "generate")
    assert ledger.spent() == {"revise": Spent(2, 6, 8), "generate": Spent(1, 3, 4)}


def test_no_acknowledged_answer_is_lost_to_kill_9(file: Path) -> None:
    """P1: a process is killed twelve times while it writes; every key it said was stored is there, with its answer."""
    chance = random.Random(0)
    printed: list[str] = []
    for life in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), str(life)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        ) as child:
            assert child.stdout is not None
            first = child.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.15))
            os.kill(child.pid, signal.SIGKILL)
            lines = [first, *child.stdout]
        printed += [line.rstrip("\n") for line in lines if line.endswith("\n")]
    assert len(printed) > 12 * 3
    found = Ledger(file).get(printed)
    assert set(found) == set(printed)
    assert all(found[key].text == f"text {key.split('-', 1)[1].replace('-', ' ')}" for key in printed)
    with sqlite3.connect(file) as db:
        batches = db.execute("select substr(key, 1, length(key) - 2), count(*) from answers group by 1").fetchall()
    assert {count for _, count in batches} == {3}, "a batch was stored in part"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a database at all, whatever it is called",
        b"SQLite format 3\0" + b"\xff" * 4096,
        bytes(range(256)) * 20,
    ],
)
def test_a_ledger_that_is_none_is_one_sentence_or_a_fresh_start(file: Path, content: bytes) -> None:
    """An empty file is a new ledger; anything else that is no database stops the run with exit code 3."""
    file.write_bytes(content)
    if not content:
        Ledger(file).put({"k": ANSWER}, "m", "s")
        return
    with pytest.raises(CaifError, match="ledger") as caught:
        Ledger(file).get(["k"])
    assert caught.value.code == STOPPED


@pytest.mark.parametrize("cut", [7, 1000, 4096, 20_000, 40_000])
def test_a_truncated_ledger_gives_right_answers_or_one_sentence(file: Path, cut: int) -> None:
    """RELIABILITY 17: whatever is still there is right; what is not stops the run, and no traceback is shown."""
    answers = filled(file)
    file.write_bytes(file.read_bytes()[:-cut])
    try:
        ledger = Ledger(file)
        found = ledger.get(list(answers))
        ledger.put({"new": ANSWER}, "m", "s")
        ledger.spent()
    except CaifError as error:
        assert error.code == STOPPED
        assert "ledger" in str(error)
        return
    assert all(answers[key] == answer for key, answer in found.items())


@pytest.mark.parametrize("seed", range(12))
def test_a_ledger_with_bytes_changed_never_raises_anything_else(file: Path, seed: int) -> None:
    """SQLite does not guard the bytes of a page: what they become is read as an answer, or refused in one sentence."""
    answers, chance = filled(file, 60), random.Random(seed)
    raw = bytearray(file.read_bytes())
    for _ in range(60):
        raw[chance.randrange(100, len(raw))] = chance.randrange(256)
    file.write_bytes(raw)
    try:
        Ledger(file).get(list(answers))
    except CaifError as error:
        assert error.code == STOPPED


def test_a_torn_write_ahead_log_loses_the_last_answer_at_most(file: Path) -> None:
    """RELIABILITY 17: seven bytes cut off the log cost what was written last, and nothing before it."""
    ledger = Ledger(file)
    for n in range(10):
        ledger.put({f"k{n}": ANSWER}, "m", "s")
    log = file.with_name("ledger.db-wal")
    torn, whole = file.read_bytes(), log.read_bytes()
    ledger.close()
    file.write_bytes(torn)
    log.write_bytes(whole[:-7])
    assert set(Ledger(file).get([f"k{n}" for n in range(10)])) >= {f"k{n}" for n in range(9)}


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    """A file where the home folder should be."""
    (tmp_path / "home").write_text("x")
    with pytest.raises(CaifError, match="ledger cannot be used"):
        Ledger(tmp_path / "home" / "ledger.db")


def test_after_a_failed_write_the_ledger_can_be_written_again(file: Path) -> None:
    """A full disk that has room again needs no new process: no half transaction stays open."""
    ledger = Ledger(file)
    blocker = sqlite3.connect(file, isolation_level=None)
    blocker.execute("begin immediate")
    ledger._db.execute("pragma busy_timeout = 10")  # noqa: SLF001 - no use waiting five seconds
    with pytest.raises(CaifError) as caught:
        ledger.put({"k": ANSWER}, "m", "s")
    assert caught.value.code == STOPPED
    blocker.execute("rollback")
    kept = ledger.put({"k": ANSWER}, "m", "s")
    assert Ledger(file).get(["k"]) == kept


def test_a_ledger_that_another_program_holds_is_not_to_be_moved(file: Path) -> None:
    """It has paid answers: the remedy names the other program."""
    ledger = Ledger(file)
    ledger._db.execute("pragma busy_timeout=10")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(CaifError, match="another program holds it"):
        ledger.put({"k": ANSWER}, "m", "s")
    other.close()
    ledger.put({"k": ANSWER}, "m", "s")
    assert set(ledger.get(["k"])) == {"k"}
