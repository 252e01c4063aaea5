"""What the tools print and what an import asks of models, to the letter: `pytest --golden` writes it anew."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_import_export import SPEC

from caif.laws.documents import from_document
from caif.laws.sets import from_set
from caif.laws.ways import readable
from caif.laws.writing import as_toml

GOLDEN = Path(__file__).parent / "golden"
SameAs = Callable[[Path, str], None]

BAD = """
name = "bad"
[objectives]
style = "x"
idle = "nobody serves it"
[[principles]]
id = "kind"
objective = "style"
critique = "Point out what is inappropriate, as stated above."
revision = "Rewrite the answer and explain the change."
compare = "Which answer is more kind and more appropriate?"
cases = [{ prompt = "Why?", better = "So.", worse = "so." }]
[[principles]]
id = "kinder"
objective = "style"
critique = "Say what breaks the principle kind-words."
revision = "Mend it."
compare = "Which answer is more harmful?"
instruct = "Be kind."
[[principles]]
id = "same"
objective = "style"
weight = 0.0
critique = "Say what is long."
revision = "Shorten it."
compare = "Choose the shorter."
"""
SETS = [
    {"name": "Harm", "critique_request": "Say what harms.", "revision_request": "Mend it."},
    "Be kind.",
    {"revision": "Shorten it."},
]


def test_an_imported_document(same_as: SameAs) -> None:
    """The file that people go on with, and all that models will be asked."""
    same_as(GOLDEN / "document.toml", as_toml(from_document(SPEC, "markdown", "spec", "conduct")))


def test_an_imported_set(same_as: SameAs) -> None:
    """A table with both texts, a text alone, and a table with one of them."""
    law = from_set(SETS, "set", "conduct")
    same_as(GOLDEN / "set.toml", as_toml(law))
    same_as(GOLDEN / "set.md", readable(law))


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("lint", ("lint", "bad.toml")),
        ("test", ("test", "law.toml", "--judge", "judge:it")),
        ("diff", ("diff", "law.toml", "new.toml", "--judge", "judge:it", "--pairs", "caif:pairs.jsonl")),
    ],
)
def test_what_a_command_prints(kitchen: Any, same_as: SameAs, name: str, command: tuple[str, ...]) -> None:
    """Findings with their places; cases with their verdicts; words and labels that changed."""
    kitchen.write("bad.toml", BAD)
    kitchen.write("new.toml", (kitchen.folder / "law.toml").read_text().replace("more salt?", "more pepper?"))
    same_as(GOLDEN / f"{name}.txt", kitchen.caif(*command).stdout)
