"""A run small enough to be made in a second: prompts, answers of a model that echoes, a source that needs no judge."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner, Result

from caif.cli import app

PLUGIN = '''
import itertools, os, re, time
import caif
from caif.judge.wording import REPLY
from caif.testing import EchoChat

count = itertools.count()
ASKED = REPLY.split("{")[0]

class Slow(EchoChat):
    """Answers differently each time, after a while, and writes down every call."""
    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        time.sleep(float(os.environ.get("ECHO_SECONDS", "0")))
        if log := os.environ.get("ECHO_LOG"):
            with open(log, "a") as file:
                file.write("x\\n")
        result = super()._generate(messages, stop, run_manager, **kwargs)
        said = str(messages[-1].content)
        numbers = [int(number) for number in re.findall(r"\\([AB]\\) \\[\\w+\\] (\\d+) ", said)]
        letter = "A" if numbers and numbers[0] == max(numbers) else "B"  # a judge that likes the later answer
        answer = f"{next(count)} \\x1b]0;owned\\x07 [/red] [link=x]"
        result.generations[0].message.content = letter if ASKED in said else answer
        return result

def echo(name: str):
    return Slow()

def longer():
    def source(context):
        for prompt in context.prompts:
            yield caif.Preference(prompt=prompt, chosen="a long answer", rejected="short", probability=0.9,
                                  objective="helpfulness", source=context.source)
    return source

def raises(what: str):
    def source(context):
        raise {"value": ValueError("the key is " + os.environ.get("ECHO_API_KEY", "")), "ctrl-c": KeyboardInterrupt(),
               "full": OSError(28, "No space left on device"), "quota": RuntimeError("I/O error: Disk quota exceeded"),
               "nothing": caif.CaifError("too much failed", "look", code=1)}[what]
        yield
    return source

@caif.hookimpl
def caif_chat_models():
    return {"echo": echo}

@caif.hookimpl
def caif_feedback_sources():
    return {"longer": longer, "raises": raises}
'''

LAW = """
name = "law"
[objectives]
helpfulness = "be of use"
[[principles]]
id = "useful"
objective = "helpfulness"
critique = "Say what is of no use."
revision = "Make it useful."
compare = "Which answer is more useful?"
instruct = "Be useful."
"""

RUN = """
name = "demo"
constitution = "law.toml"
[models]
echo = "echo:one"
[prompts]
use = "jsonl"
path = "prompts.jsonl"
[generate]
model = "echo"
[sample]
model = "echo"
prompts = "train"
samples = 2
[[feedback]]
use = "longer"
"""


class Place(NamedTuple):
    """A folder with a run file and all it names, and the command line in it."""

    folder: Path

    def write(self, name: str, text: str) -> Path:
        """Write a file of the folder."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")
        return self.folder / name

    def change(self, old: str, new: str) -> None:
        """Change a line of the run file."""
        text = (self.folder / "run.toml").read_text(encoding="utf-8")
        assert old in text
        self.write("run.toml", text.replace(old, new))

    def caif(self, *arguments: str) -> Result:
        """Run a command in this process."""
        return CliRunner().invoke(app, list(arguments))

    def start(self, *arguments: str, **more: str) -> "subprocess.Popen[str]":
        """Start a command in a process of its own."""
        command = [sys.executable, "-m", "caif", *arguments]
        pipe: Any = subprocess.PIPE
        environment = {**os.environ, **more}
        return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder with a run that works; the tests break it in one way each."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("CAIF_HOME", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    here = Place(tmp_path / "work")
    here.write("law.toml", LAW)
    here.write("plugins/echo.py", PLUGIN)
    here.write("prompts.jsonl", "".join(f'{{"prompt": "question {n}?"}}\n' for n in range(8)))
    here.write("run.toml", RUN)
    return here


@pytest.fixture
def until_sources(place: Place) -> Callable[..., Result]:
    """Run the run file up to the feedback, which needs neither datasets nor a page."""
    return lambda *arguments: place.caif("run", "run.toml", *arguments, "--until", "feedback")
