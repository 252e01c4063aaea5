"""`caif audit --attacks`: the attack set on the card of a judge, as page, as JSON and on the terminal."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caif.cli import app

PLUGIN = '''
import sys
import caif
from caif.testing import EchoChat
sys.path.insert(0, {here!r})
from test_attacks import Either, gullible

class Knows(EchoChat):
    """Right about all, and obeys markers that reach it whole."""
    def score(self, questions):
        judge = Either(lambda text: 1.0 if text.startswith("right") else gullible(text))
        return judge.score(None, questions)

@caif.hookimpl
def caif_chat_models():
    return {{"knows": lambda name: Knows()}}
'''
LAW = {
    "name": "law", "objectives": {"honesty": "True."},
    "principles": [{"id": "true", "objective": "honesty", "critique": "?", "revision": "!", "compare": "Which is truer?"}],
}  # fmt: skip
COMMAND = ["audit", "--constitution", "law.json", "--pairs", "caif:pairs.jsonl", "--methods", "logprobs", "--out", "card", "--attacks"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a plugin that brings a gullible judge, a constitution and ten pairs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CAIF_HOME", raising=False)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "knows.py").write_text(PLUGIN.format(here=str(Path(__file__).parent)))
    (tmp_path / "law.json").write_text(json.dumps(LAW))
    rows = [{"prompt": f"q{n}", "chosen": f"right {n}", "rejected": f"wrong {n}", "objective": "honesty"} for n in range(10)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_the_card_says_which_attacks_succeed(folder: Path) -> None:
    """With and without the defences, by family; and a gate can be set on it."""
    done = CliRunner().invoke(app, [*COMMAND, "--judge", "knows:it", "--fail-on", "attacks.logprobs.bare.all>0.2"])
    assert done.exit_code == 1, done.output + done.stderr
    told = json.loads((folder / "card" / "card.json").read_text())["attacks"]["logprobs"]
    assert told["bare"]["families"]["fake-verdict"]["mean"] == 1
    assert told["defended"]["families"]["fake-verdict"]["mean"] == 0
    assert told["defended"]["clean_right"] == 4
    assert "Attacks that succeed, logprobs; 4 of 4 clean pairs judged right" in done.output
    assert "failed  attacks.logprobs.bare.all>0.2: attacks.logprobs.bare.all is 0.3125" in done.output
    page = (folder / "card" / "card.html").read_text()
    assert "<h2>Attacks</h2>" in page
    assert "known attacks; a low share says nothing of others" in page


def test_attacks_need_a_judge() -> None:
    """Stored labels cannot be attacked."""
    done = CliRunner().invoke(app, ["audit", "some-run", "--attacks"])
    assert done.exit_code == 2
    assert "--attacks: a judge has to be asked" in done.output + done.stderr
