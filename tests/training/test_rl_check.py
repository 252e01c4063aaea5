"""What of [rl] can be known to be wrong before a run, and by which key."""

from collections.abc import Callable
from pathlib import Path

import pytest

from caif import plugins
from caif.check import problems
from caif.config import read
from caif.errors import CaifError
from caif.run import Run

LAW = """
name = "law"
[objectives]
harmlessness = "does no harm"
[[principles]]
id = "safe"
objective = "harmlessness"
critique = "what harms?"
revision = "remove it"
compare = "which harms less?"
"""
HEAD = """
name = "test"
constitution = "law.toml"
[prompts]
use = "jsonl"
path = "prompts.jsonl"
"""
PEOPLE = '[[feedback]]\nuse = "thumbs"\npath = "thumbs.jsonl"\nobjective = "tone"\n'
MADE = '[[feedback]]\nuse = "contrast"\nmodel = "MODEL"\n'
RL = '[combine]\n[reward]\nmodel = "MODEL"\n[rl]\nmodel = "MODEL"\n'


@pytest.fixture
def told(tmp_path: Path, tiny: Path) -> Callable[[str], list[str]]:
    """Write a run file with these lines at its end, and return what is found about [rl]."""
    (tmp_path / "law.toml").write_text(LAW)
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "hello"}\n')
    (tmp_path / "thumbs.jsonl").write_text('{"prompt": "hello", "completion": "yes", "up": true}\n')

    def look(text: str) -> list[str]:
        (tmp_path / "run.toml").write_text((HEAD + text).replace("MODEL", f"hf:{tiny}"))
        config = read(tmp_path / "run.toml")
        found = problems(Run(config, tmp_path / "home", plugins.load(), tmp_path))
        return [line.removeprefix("rl: ") for line in found if line.startswith("rl: ")]

    return look


def test_a_constraint_on_no_objective_is_found_with_the_nearest_name(told: Callable[[str], list[str]]) -> None:
    """So is every other key that names a reward; what the constitution or a source brings is known."""
    wrong = (
        "constraints = { harmlesness = { at_least = 0.2 } }\nfloors = { speed = 0.1 }\nweights = { harmlessness = 2 }\n"
    )
    assert told(MADE + RL + wrong) == [
        "floors: there is no reward 'speed'; there are: harmlessness",
        "constraints: there is no reward 'harmlesness'; did you mean 'harmlessness'?",
    ]
    assert told(PEOPLE + RL + "weights = { tone = 2, harmlessness = { linear = [[0, 1], [50, 0.5]] } }\n") == []


def test_beside_peoples_files_only_what_looks_misspelt_is_found(told: Callable[[str], list[str]]) -> None:
    """A row of such a file may name an objective that no one has heard of."""
    found = told(PEOPLE + RL + "weights = { speed = 2, tonne = 1 }\n")
    assert found == ["weights: there is no reward 'tonne'; did you mean 'tone'?"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("weights = { tone = { linea = [[1, 2]] } }", "rl.weights.tone.linea: unknown key; did you mean 'linear'?"),
        (
            'weights = { tone = { linear = [[1, "x"]] } }',
            "rl.weights.tone.linear[0][1]: input should be a valid number",
        ),
        ('guards = { kl = "of" }', "rl.guards.kl: "),
        (
            "constraints = { tone = { atleast = 1 } }",
            "rl.constraints.tone.atleast: unknown key; did you mean 'at_least'?",
        ),
        ("bars = { tone = 1 }", "rl: bars: says nothing with aggregation"),
    ],
)
def test_a_mistake_in_rl_is_told_by_its_key(told: Callable[[str], list[str]], text: str, complaint: str) -> None:
    """On one line, whatever types a value might have had."""
    with pytest.raises(CaifError) as error:
        told(PEOPLE + RL + text + "\n")
    assert complaint in str(error.value)
