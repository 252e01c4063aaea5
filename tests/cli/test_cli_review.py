"""`caif review`: of a run and of a file, by keys that are piped in, and what comes of the votes."""

import json
import os
import pty
import re
import select
import socket
import subprocess
import sys
import termios
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from caif.cli import app
from caif.data import Preference
from caif.errors import STOPPED
from caif.formats.reviews import reviews

PAIRS = [
    {"prompt": "why?", "chosen": "because \x1b[31m", "rejected": "just so [/red]", "principle": "p", "rater": "judge"},
    {"prompt": "how?", "chosen": "like this", "rejected": "somehow"},
]


def review(keys: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["review", *arguments], input=keys)


def votes(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def file(place: Any) -> str:
    """A file of two pairs, one of them labelled by a judge."""
    return str(place.write("pairs.jsonl", "".join(json.dumps(row) + "\n" for row in PAIRS)))


def test_a_run_is_reviewed_and_the_votes_are_a_source_of_the_next(
    place: Any, until_sources: Callable[..., Result]
) -> None:
    """From samples to votes to preferences, and what was voted on is not asked again."""
    assert until_sources().exit_code == 0
    done = review("1\n2\n0\nb\nc\na comment\ns\nq\n", "run.toml", "--rater", "ada")
    assert done.exit_code == 0, done.output
    assert "helpfulness: be of use" in done.output
    assert "Votes: 2 decided, 1 tied, 1 both bad, 1 skipped; 2 items left." in done.output
    file = place.folder / "caif-home" / "runs" / "demo" / "reviews" / "ada.jsonl"
    assert [line["vote"] for line in votes(file)] == ["pair", "pair", "tie", "both_bad", "skip"]
    assert votes(file)[4]["comment"] == "a comment"
    stanza = done.output.partition("To use them:")[2]
    place.write("run.toml", (place.folder / "run.toml").read_text() + stanza)
    ran = until_sources()
    assert ran.exit_code == 0, ran.output
    shown = place.caif("show", "run.toml", "pairs").output
    for what in ("tie", "both bad", "skipped"):
        assert f"rejected: {what}" in shown
    again = review("q\n", "run.toml", "--rater", "ada")
    assert "6 of 7" in again.output
    assert "1 of 14" in review("q\n", "demo", "--thumbs").output


def test_a_run_that_has_no_answers_yet_says_so(place: Any) -> None:
    """Nothing is asked of anyone, and no vote is written."""
    done = review("", "run.toml")
    assert done.exit_code == 2
    assert "there are no pairs of different answers to review" in done.output
    assert not list(place.folder.rglob("reviews/*.jsonl"))


def test_single_answers_are_asked_with_thumbs(file: str, place: Any) -> None:
    """Good or not, by + and - or 1 and 2."""
    done = review("+\n-\n1\n2\n", file, "--thumbs", "-o", "thumbs.jsonl")
    assert "Is this a good answer?" in done.output
    assert [line["up"] for line in votes(place.folder / "thumbs.jsonl")] == [True, False, True, False]
    assert 'use = "thumbs"' in done.output


def test_texts_cannot_steer_the_terminal(file: str) -> None:
    """Escapes are spelled out, markup is text."""
    shown = review("q\n", file, "--limit", "2").output + review("0\nq\n", file).output
    assert "\x1b[31m" not in shown
    assert "\u2039U+001B\u203a[31m" in shown
    assert "just so [/red]" in shown


def test_undo_help_and_keys_that_mean_nothing(file: str, place: Any) -> None:
    """None of them is a vote."""
    done = review("u\n?\nx\n\n1\nU\n2\nq\n", file, "-o", "votes.jsonl")
    assert "There is no vote to take back." in done.output
    assert "There is no key 'x'; ? helps." in done.output
    assert "Every vote is on the disk" in " ".join(done.output.split())
    assert [line["vote"] for line in votes(place.folder / "votes.jsonl")] == ["pair", "undo", "pair"]


def test_what_a_judge_has_labelled_waits_for_people_and_what_people_have_said_comes_last(file: str) -> None:
    """A pair with a principle is a judge's; one without is somebody's word already."""
    done = review("q\n", file, "--audit", "0")
    assert "why?" in done.output
    assert "how?" not in done.output


def test_another_rater_is_asked_what_nobody_has_answered_yet(place: Any) -> None:
    """The votes of the first one lie beside; their items come last for the second one."""
    rows = [{**PAIRS[0], "prompt": f"why {n}?"} for n in range(4)]
    place.write("pairs.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    first = review("1\n1\nq\n", "pairs.jsonl", "--rater", "ada", "--audit", "0").output
    second = review("1\n1\nq\n", "pairs.jsonl", "--rater", "bob", "--audit", "0").output
    asked = [re.findall(r"why \d", shown)[:2] for shown in (first, second)]
    assert sorted(asked[0] + asked[1]) == [f"why {n}" for n in range(4)]


def test_a_page_without_its_extra_says_what_to_install(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked or written; so does a port that is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = review("", file, "--web", "--port", str(taken.getsockname()[1]))
    assert (done.exit_code, "leave it out" in done.output, "Votes" in done.output) == (2, True, False)
    for name in [name for name in sys.modules if name.startswith("caif.review.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = review("", file, "--web")
    assert (done.exit_code, done.output) == (2, "caif: --web needs uvicorn; pip install 'caif[web]'\n")


def test_gold_is_told_at_the_end_alone(file: str, place: Any) -> None:
    """A known pair stands among the others; how often the rater was right is told once, and kept with the vote."""
    place.write("gold.jsonl", '{"prompt": "2+2?", "chosen": "4", "rejected": "5"}\n')
    done = review("1\n1\n1\n", file, "--gold", "gold.jsonl", "--gold-share", "0.5", "-o", "votes.jsonl")
    before, _, after = done.output.partition("Votes: ")
    assert "known" not in before
    assert "Right on items whose answer is known: " in after
    assert sum("gold" in line for line in votes(place.folder / "votes.jsonl")) == 1


def test_rows_that_cannot_be_used_are_told(place: Any) -> None:
    """By their reason; a file of nothing else is an error."""
    place.write("pairs.jsonl", json.dumps(PAIRS[0]) + '\n{"prompt": "p", "chosen": "x", "rejected": "x"}\nnothing\n')
    assert "pairs.jsonl: turned away: 1 identical answers, 1 not JSON" in review("q\n", "pairs.jsonl").output
    place.write("pairs.jsonl", "nothing\n")
    assert "no usable rows; turned away: not JSON (1)" in review("q\n", "pairs.jsonl").output


def test_a_review_ends_when_all_is_said(file: str) -> None:
    """And asks nothing more when it is started again."""
    assert "0 items left" in review("1\n1\n1\n", file).output
    again = review("", file)
    assert (again.exit_code, "0 items left" in again.output) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.jsonl"], "missing.jsonl: no such file"),
        (["hh-rlfh:pairs.jsonl"], "did you mean 'hh-rlhf'?"),
        (["pairs.jsonl", "--rater", "../ada"], "--rater '../ada': is no name for a file"),
        (["pairs.jsonl", "--gold", "pairs.jsonl", "--thumbs"], "--gold pairs.jsonl: holds no thumbs to ask"),
        (["pairs.jsonl", "-o", "pairs.jsonl"], "pairs.jsonl:1: is not a vote"),
        (["pairs.jsonl", "-o", "/proc/votes.jsonl"], "/proc/votes.jsonl: cannot be written to"),
        (["pairs.jsonl", "-o", "pairs.jsonl/votes.jsonl"], "pairs.jsonl/votes.jsonl: cannot be written to"),
    ],
)
def test_what_is_wrong_is_one_line(file: str, arguments: list[str], said: str) -> None:
    """File, what is wrong, and the remedy."""
    done = review("", *arguments)
    assert done.exit_code == 2
    assert said in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_on_a_terminal_one_key_is_a_vote_without_return(file: str, place: Any) -> None:
    """Ctrl-C gives the summary and the usual code; what was said before it stands."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "caif", "review", file, "-o", "votes.jsonl"]
    running = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, cwd=place.folder, start_new_session=True
    )
    os.close(slave)
    said = b""
    for waits_for, keys in ((b"1 of 2", b"1"), (b"2 of 2", b"c"), (b"comment:", b"why not\n"), (b"", b"\x03")):
        said = _until(master, waits_for, one_key=b"\n" not in keys)
        os.write(master, keys)
    said = _until(master, b"stopped")
    assert running.wait(20) == 130
    assert b"1 decided; 1 item left" in said
    assert [line["vote"] for line in votes(place.folder / "votes.jsonl")] == ["pair"]


def _until(terminal: int, wanted: bytes, *, one_key: bool = False) -> bytes:
    """Read what is shown until something wanted is, and where one key is wanted until the terminal waits for one."""
    said, end = b"", time.monotonic() + 60
    while wanted not in said or (one_key and termios.tcgetattr(terminal)[3] & termios.ICANON):
        assert time.monotonic() < end, said
        if select.select([terminal], [], [], 0.05)[0]:
            said += os.read(terminal, 10_000)
    return said


def test_two_people_at_one_file_write_one_after_the_other(file: str) -> None:
    """Two processes at once: one is told so and writes nothing; when the first has ended, both have their votes there."""

    def start(rater: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "caif", "review", file, "-o", "votes.jsonl", "--rater", rater]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    first = start("ada")
    assert first.stdout is not None and first.stdout.readline()  # it asks, so it is the one who writes
    second = start("bob")
    _, said = second.communicate("1\n1\n", timeout=120)
    assert (second.returncode, "another review writes there" in said) == (STOPPED, True)
    first.communicate("1\n1\n", timeout=120)
    start("bob").communicate("2\n2\n", timeout=120)
    rows = list(reviews()(Path("votes.jsonl")))
    assert Counter(row.rater for row in rows if isinstance(row, Preference)) == {"ada": 2, "bob": 2}
