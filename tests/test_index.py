"""What tests/README.md says of the tests is so: every test that it names is there, every promise, pitfall and fault has its row."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
README = (TESTS / "README.md").read_text(encoding="utf-8")


def names_of(file: str) -> set[str]:
    """Return the names of a file's tests."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_test_that_is_named_is_there() -> None:
    """In the file that is named before it."""
    missing, named, there = [], 0, set[str]()
    for line in README.split("## Promises")[1].splitlines():
        there = set()
        for name in re.findall(r"`([\w/]+\.py|test_\w+)`", line):
            if name.endswith(".py"):
                there = names_of(name)
            else:
                named += 1
                missing += [] if name in there else [name]
    assert named > 100
    assert missing == []


def test_nothing_is_left_out() -> None:
    """Six promises, ten pitfalls, forty-five faults, each with its number."""
    rows = re.findall(r"^\| (\w+) \|", README, re.MULTILINE)
    assert rows == [f"P{n}" for n in range(1, 7)] + [str(n) for n in (*range(1, 11), *range(1, 46))]
