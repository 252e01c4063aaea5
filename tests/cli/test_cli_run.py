"""A run from the command line: what it makes, shows and finds again, and how it ends when it cannot go on."""

import json
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

CONTROL = [chr(n) for n in (*range(9), *range(11, 32), *range(127, 160))]


def answers(home: Path) -> int:
    """Count the answers that were paid for."""
    with sqlite3.connect(home / "ledger.db") as db:
        return int(db.execute("select count(*) from answers").fetchone()[0])


def states(table: str) -> dict[str, str]:
    """Return a printed table's second column by the first."""
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines() if "│" in line]
    return {row[0]: row[1] for row in cells}


def test_a_run_makes_its_stages_once(place, until_sources) -> None:
    """The second run finds all of it and asks nothing."""
    first = until_sources()
    assert first.exit_code == 0, first.output
    assert set(states(first.stdout).values()) == {"made"}
    paid = answers(place.folder / "caif-home")
    again = until_sources()
    assert set(states(again.stdout).values()) == {"found"}
    assert answers(place.folder / "caif-home") == paid


def test_every_stage_is_told_on_stderr_with_its_time(place, until_sources) -> None:
    """Without a terminal there are lines, not bars."""
    told = until_sources().stderr
    for stage in ("prompts", "generate", "sample", "longer"):
        assert f"{stage}  started" in told
        assert f"{stage}  done in" in told
    assert "\x1b" not in told


def test_a_whole_run_ends_with_its_report(place) -> None:
    """The page and its numbers lie in the run's own folder."""
    place.write("run.toml", (place.folder / "run.toml").read_text(encoding="utf-8") + "[combine]\n")
    result = place.caif("run", "run.toml")
    assert result.exit_code == 0, result.output
    assert "caif-home/runs/demo/report.html" in result.stdout
    assert {path.name for path in (place.folder / "caif-home" / "runs" / "demo").iterdir()} >= {
        "report.html", "report.json", "run.json", "stages.json",
    }  # fmt: skip


def test_json_is_for_programs(place, until_sources) -> None:
    """One object on stdout and nothing else there."""
    done = json.loads(until_sources("--json").stdout)
    assert [stage["stage"] for stage in done["stages"]] == ["constitution", "prompts", "generate", "sample", "longer"]
    assert all(Path(stage["folder"]).is_dir() and not stage["reused"] for stage in done["stages"])
    assert done["stages"][2]["counts"]["completion"] == 8


def test_plan_says_what_is_made_and_what_would_be_asked(place, until_sources) -> None:
    """Before a run everything is to do, after it nothing, and a changed value costs its own stage only."""
    before = place.caif("plan", "run.toml")
    assert set(states(before.stdout).values()) == {"to do"}
    assert "Calls at most: 22 and what plugins ask." in before.stdout  # 8 answers, and 2 for each of 7 training prompts
    assert not (place.folder / "caif-home").exists()
    until_sources()
    after = place.caif("plan", "run.toml")
    assert "Calls at most: 0." in after.stdout
    changed = states(place.caif("plan", "run.toml", "sample.samples=3").stdout)
    assert {name for name, state in changed.items() if state == "to do"} == {"sample", "longer", "report"}


@pytest.mark.parametrize(
    "source",
    [
        'use = "ai-labeler"\njudge = "echo"\nmethod = "votes"\nvotes = 3\nselftest = "off"',
        'use = "contrast"\nmodel = "echo"',
        'use = "critique-revise"\njudge = "echo"\nmethod = "votes"\nselftest = "off"',
    ],
)
def test_no_run_asks_more_than_was_planned(place, source: str) -> None:
    """The estimate is a bound, and near: prompts that draw no principle or fail on the way make it smaller."""
    place.change('use = "longer"', source)
    place.change("[sample]", '[revise]\nmodel = "echo"\n[sample]')
    words = place.caif("plan", "run.toml").stdout.split("Calls at most: ")[1]
    planned = int(words.split()[0].rstrip(".").replace(",", ""))
    result = place.caif("run", "run.toml", "--until", "feedback")
    assert result.exit_code == 0, result.output
    assert planned / 2 <= answers(place.folder / "caif-home") <= planned


def test_show_tells_a_run_and_a_stage(place, until_sources) -> None:
    """By the run file, by name, by folder; a stage with its counts and first rows."""
    until_sources()
    for name in ("run.toml", "demo", "caif-home/runs/demo", "caif-home"):
        shown = place.caif("show", name)
        assert states(shown.stdout)["generate"] == "done", shown.output
        assert states(shown.stdout)["report"] == "to do"
    assert "no such run in caif-home; did you mean 'demo'?" in place.caif("show", "dmo").stderr
    stage = place.caif("show", "demo", "generate").stdout
    assert "completion" in stage and "whole rows with --full" in stage
    assert "question" in stage
    missing = place.caif("show", "demo", "report")
    assert (missing.exit_code, "is not made yet" in missing.stderr) == (2, True)


def test_an_answer_cannot_steer_the_terminal(place, until_sources) -> None:
    """Answers with escapes and markup are shown as the text they are."""
    until_sources()
    shown = place.caif("show", "demo", "generate")
    assert shown.exit_code == 0, shown.output
    assert "[/red] [link=x]" in shown.stdout
    assert not [character for character in CONTROL if character in shown.stdout]


def test_a_run_can_be_repeated_from_its_own_folder(place, until_sources) -> None:
    """run.json holds every value, path and plugin, wherever it is run from."""
    until_sources()
    again = place.caif("run", "caif-home/runs/demo/run.json", "--until", "feedback")
    assert again.exit_code == 0, again.output
    assert set(states(again.stdout).values()) == {"found"}


def test_home_is_an_option_or_a_variable(place, until_sources, monkeypatch: pytest.MonkeyPatch) -> None:
    """CAIF_HOME is the default, --home is over it."""
    monkeypatch.setenv("CAIF_HOME", "one")
    until_sources()
    until_sources("--home", "two")
    assert (place.folder / "one" / "store").is_dir()
    assert (place.folder / "two" / "store").is_dir()
    assert not (place.folder / "caif-home").exists()


@pytest.mark.parametrize(
    ("what", "code", "says"),
    [
        ("value", 2, "ValueError"),
        ("nothing", 1, "too much failed; look"),
        ("full", 3, "the disk is full"),
        ("quota", 3, "the disk is full"),
        ("ctrl-c", 130, "stopped; nothing that was answered is lost; run again to go on"),
    ],
)
def test_every_way_to_end_has_its_code(place, until_sources, what: str, code: int, says: str) -> None:
    """Wrong 2, too much failed 1, cannot go on now 3, Ctrl-C 130; one line each."""
    place.change('use = "longer"', f'use = "raises"\nwhat = "{what}"')
    result = until_sources()
    assert result.exit_code == code, result.output
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("caif: ")
    assert says in last
    assert "Traceback" not in result.stderr


def test_a_stage_is_shown_as_a_short_table_or_whole(place, until_sources) -> None:
    """Long texts are cut and a field that no row fills is left out; `--full` shows all of a row, `--limit` more rows."""
    rows = [{"prompt": f"Question {n}: " + "why " * 80, "tags": []} for n in range(8)]
    (place.folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"prompt": ""}]))
    until_sources()
    short = place.caif("show", "demo", "prompts").stdout
    assert "5 of 8; more with --limit, whole rows with --full" in short
    assert short.count("Question ") == 5 and "why why" in short and "tags" not in short
    assert short.index("rejected: ") < short.index("Question "), "counts by reason come first"
    assert place.caif("show", "demo", "prompts", "--limit", "8").stdout.count("Question ") == 8
    full = place.caif("show", "demo", "prompts", "--limit", "1", "--full").stdout
    assert full.count("why") >= 80 and '"role": "user"' in full


def test_no_key_is_ever_shown(place, until_sources, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the line, nor in the traceback, nor in any file of the home folder."""
    monkeypatch.setenv("ECHO_API_KEY", "sk-CANARY-" + "x" * 30)
    place.change('use = "longer"', 'use = "raises"\nwhat = "value"')
    for arguments in ([], ["--debug"]):
        result = until_sources(*arguments)
        assert result.exit_code == 2
        assert ("Traceback" in result.stderr) == bool(arguments)
        assert "CANARY" not in result.output + result.stderr
    files = [path for path in (place.folder / "caif-home").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"CANARY" in path.read_bytes()]


def test_a_second_run_on_one_home_is_refused_and_told_who_holds_it(place) -> None:
    """It would pay for the same answers twice."""
    first = place.start("run", "run.toml", "--until", "feedback", ECHO_SECONDS="2")
    holder = place.folder / "caif-home" / "lock.holder"
    wait_for(holder.is_file)
    second = place.caif("run", "run.toml")
    assert second.exit_code == 3
    assert f"in use by process {first.pid} on {os.uname().nodename}" in second.stderr
    first.kill()
    first.communicate()
    assert place.caif("run", "run.toml", "--until", "prompts").exit_code == 0, "a dead holder holds nothing"


def test_ctrl_c_stops_within_seconds_and_loses_nothing(place) -> None:
    """The next run asks only for what is missing."""
    place.change('model = "echo"\n[sample]', 'model = "echo"\nsamples = 4\n[sample]')
    log = place.folder / "calls"
    first = place.start("run", "run.toml", "exec.concurrency=1", "--until", "generate", ECHO_SECONDS="0.2", ECHO_LOG=str(log))
    wait_for(lambda: log.is_file() and len(log.read_text()) > 10)
    asked = time.monotonic()
    first.send_signal(signal.SIGINT)
    told = first.communicate(timeout=20)[1]
    assert time.monotonic() - asked < 8
    assert first.returncode == 130
    assert told.strip().splitlines()[-1] == "caif: stopped; nothing that was answered is lost; run again to go on"
    kept = answers(place.folder / "caif-home")
    assert 0 < kept < 32
    second = place.start("run", "run.toml", "--until", "generate", ECHO_LOG=str(log))
    assert second.wait(60) == 0
    second.communicate()
    assert answers(place.folder / "caif-home") == 32
    assert len(log.read_text().split()) <= 32 + 1


def test_ctrl_c_twice_ends_at_once(place) -> None:
    """Even where a call to a model does not come back."""
    log = place.folder / "calls"
    run = place.start("run", "run.toml", "exec.concurrency=1", "--until", "generate", ECHO_SECONDS="60", ECHO_LOG=str(log))
    wait_for(lambda: (place.folder / "caif-home" / "ledger.db").is_file())
    time.sleep(1)
    started = time.monotonic()
    run.send_signal(signal.SIGINT)
    time.sleep(0.5)
    run.send_signal(signal.SIGINT)
    assert run.wait(10) == 130
    assert time.monotonic() - started < 4
    run.communicate()


def wait_for(happened) -> None:
    """Wait for something that another process does."""
    for _ in range(600):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen in 30 seconds")


def test_a_report_of_another_run_is_not_shown_for_this_one(place) -> None:
    """A run that stops before its report has none, even if one of that name had."""
    place.write("run.toml", (place.folder / "run.toml").read_text(encoding="utf-8") + "[combine]\n")
    page = place.folder / "caif-home" / "runs" / "demo" / "report.html"
    assert place.caif("run", "run.toml").exit_code == 0
    assert page.is_file()
    stopped = place.caif("run", "run.toml", "seed=1", "--until", "prompts")
    assert "Report" not in stopped.stdout
    assert not page.exists()
