"""A judge whose verdict depends on what stands there, as a plugin in a folder of its own, and the command line there."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner, Result

from caif.cli import app

JUDGE = '''
import itertools, re
import caif
from caif.hookspecs import Answer
from caif.testing import EchoChat

turn = itertools.cycle(["salt here", "pepper there"])

class Judge(EchoChat):
    """Prefers the answer that holds the word after "more" in the question; says nothing usable of a refused prompt."""
    def _generate(self, *args, **more):
        result = super()._generate(*args, **more)
        result.generations[0].message.content = next(turn)
        return result

    def score(self, questions):
        return [self.one(question.messages[-1]["content"]) for question in questions]

    def one(self, text):
        with open("asked.log", "a") as log:
            log.write("x\\n")
        if "REFUSE" in text:
            return Answer("", "refused", detail="will not")
        wanted = re.search(r"more (\\w+)", text)[1]
        first = text[text.find("(A)"):text.find("(B)")].count(wanted)
        second = text[text.find("(B)"):].count(wanted)
        lean = {True: -0.1, False: -3.0}
        if first == second:
            return Answer("A", "stop", logprobs=(-0.2, -2.0))  # knows nothing: the first place
        return Answer("A", "stop", logprobs=(lean[first > second], lean[second > first]))

@caif.hookimpl
def caif_chat_models():
    return {"judge": lambda name: Judge()}
'''

LAW = """
name = "law"
[objectives]
style = "x"
[[principles]]
id = "salt"
objective = "style"
critique = "Where is no salt?"
revision = "Add salt."
compare = "Which answer has more salt?"
cases = [
  { prompt = "Soup?", better = "salt it", worse = "leave it" },
  { prompt = "Bread?", better = "no, thanks", worse = "salt and salt" },
  { prompt = "REFUSE?", better = "salt it", worse = "leave it" },
]
[[principles]]
id = "sugar"
objective = "style"
critique = "Where is no sugar?"
revision = "Add sugar."
compare = "Which answer has more sugar?"
cases = [{ prompt = "Cake?", better = "sugar it", worse = "leave it" }, { prompt = "Tea?", better = "as it is", worse = "so" }]
[[principles]]
id = "pepper"
objective = "style"
critique = "Where is no pepper?"
revision = "Add pepper."
compare = "Which answer has more pepper?"
"""

PAIRS = """{"prompt": "One?", "chosen": "salt", "rejected": "pepper", "objective": "style"}
{"prompt": "Two?", "chosen": "salt and pepper", "rejected": "salt", "objective": "style"}
{"prompt": "Three?", "chosen": "sugar", "rejected": "nothing", "objective": "style"}
"""


class Kitchen(NamedTuple):
    """A folder with a constitution, pairs and a judge."""

    folder: Path

    def write(self, name: str, text: str) -> Path:
        """Write a file."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")
        return self.folder / name

    def caif(self, *arguments: str) -> Result:
        """Run a command of `caif constitution`."""
        return CliRunner().invoke(app, ["constitution", *arguments])

    @property
    def asked(self) -> int:
        """How often the judge was asked at all."""
        log = self.folder / "asked.log"
        return len(log.read_text().splitlines()) if log.is_file() else 0


@pytest.fixture
def kitchen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A place where more salt is better."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CAIF_HOME", raising=False)
    here = Kitchen(tmp_path)
    here.write("law.toml", LAW)
    here.write("pairs.jsonl", PAIRS)
    here.write("plugins/judge.py", JUDGE)
    return here
