"""`caif feedback disagreements`: by principle, sorted, from what a run has stored; nobody is named and nothing is asked."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
from made_up_rows import LAW, TRAIN, _judgement, _pair

from caif.cli import app
from caif.content import digest
from caif.data import Judgement, Preference
from caif.record import STAGES
from caif.store import Store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home with a run: a judge likes the long answer, and a person the short one."""
    store, listed = Store(tmp_path / "store"), []
    pair = _pair(TRAIN[0])
    person = Preference(
        prompt=pair.prompt,
        chosen=pair.b,
        rejected=pair.a,
        probability=1,
        objective="brevity",
        source="people",
        rater="anna@x.org",
    )
    for name, rows in {"ai-labeler": [_judgement(pair, "short", (3.0, 2.0), "ai-labeler")], "people": [person]}.items():
        draft = store.draft(name, digest(name))
        for kind in (Judgement, Preference):
            draft.write([row for row in rows if type(row) is kind], kind)
        made = store.finish(draft, {
            "stage": name, "by": "collect", "key": digest(name), "version": 1, "seed": 0, "counts": draft.counts, "seconds": 1.0,
            "config": {"use": "pairs" if name == "people" else name}, "metrics": {}, "inputs": [], "environment": {},
        })  # fmt: skip
        listed.append({"stage": name, "folder": made.folder.name})
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    (tmp_path / "runs" / "demo" / STAGES).write_text(json.dumps(listed))
    assert LAW.principle("short").objective == "brevity"
    return tmp_path


def test_disagreements_are_told_by_principle(home: Path) -> None:
    """With counts, the reason and an example; the person's name is nowhere."""
    result = CliRunner().invoke(app, ["feedback", "disagreements", "demo", "--home", str(home)])
    assert result.exit_code == 0, result.output
    assert "silent or unclear" in result.output
    assert "people prefer: It just works." in result.output
    assert "anna" not in result.output
    result = CliRunner().invoke(
        app, ["feedback", "disagreements", "demo", "--home", str(home), "--json", "--examples", "1"]
    )
    (row,) = json.loads(result.output)
    assert (row["principle"], row["compared"], row["differ"]) == ("short", 1, 1)
    assert row["examples"][0]["kind"] == "the constitution is silent or unclear"


def test_a_run_without_a_persons_word_says_how_to_get_it(home: Path) -> None:
    """From the review to the votes in the run file."""
    stages = home / "runs" / "demo" / STAGES
    stages.write_text(json.dumps([row for row in json.loads(stages.read_text()) if row["stage"] == "ai-labeler"]))
    result = CliRunner().invoke(app, ["feedback", "disagreements", "demo", "--home", str(home)])
    assert result.exit_code == 2
    assert "caif review" in result.output


@pytest.mark.parametrize("wrong", [["nowhere"], ["demo", "--principle", "shirt"]])
def test_what_is_not_there_is_said_in_a_line(home: Path, wrong: list[str]) -> None:
    """With the nearest name."""
    result = CliRunner().invoke(app, ["feedback", "disagreements", *wrong, "--home", str(home)])
    assert result.exit_code == 2
    assert "Traceback" not in result.output
