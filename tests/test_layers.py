"""Who may import whom, as the layout says, read from the code itself. There is no list of exceptions."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

CAIF = Path(__file__).parents[1] / "caif"
FILES = sorted(CAIF.rglob("*.py"))
NAMES = [str(file.relative_to(CAIF)) for file in FILES]
HEAVY = {"torch", "transformers", "trl", "peft"}
HEAVY_IN_FUNCTIONS = {
    "models/embedded.py", "models/local.py", "stages/reward.py", "stages/rl.py", "stages/sft.py", "testing/tiny.py",
}  # fmt: skip
HEAVY_AT_ONCE = ("training", "models.pack", *(f"models.kernel.{name}" for name in ("attention", "decoding", "head", "past", "scoring")))
"""torch through and through: nothing else imports these but inside a function."""
PLAIN = {"content", "data", "text", "hookspecs", "config", "constitution", "critic", "judge", "errors"}


class Import(NamedTuple):
    """One imported module, and whether importing the file imports it."""

    module: str
    at_once: bool
    types_only: bool


def imports(file: Path) -> list[Import]:
    """Return what a file imports, wherever it does so."""
    return list(_walk(ast.parse(file.read_text(encoding="utf-8")), at_once=True, types_only=False))


def _walk(node: ast.AST, *, at_once: bool, types_only: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, at_once, types_only) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are written in full"
            yield from (Import(f"{child.module}.{alias.name}", at_once, types_only) for alias in child.names)
        inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        guard = isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING"
        yield from _walk(child, at_once=at_once and not inside and not guard, types_only=types_only or guard)


def own(file: Path) -> set[str]:
    """Return the parts of caif that a file imports, as paths below caif."""
    return {".".join(found.module.split(".")[1:]) for found in imports(file) if found.module.startswith("caif.")}


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("stages/")])
def test_stages_never_import_each_other(name: str) -> None:
    """A stage knows the artifacts it is given, not who made them."""
    assert not [part for part in own(CAIF / name) if part.startswith("stages.")]


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("sources/", "formats/"))])
def test_sources_and_formats_import_what_a_plugin_could(name: str) -> None:
    """caif's own sources and formats are written as anyone's would be: with the rows and what they are given."""
    families = {"formats"} | ({"sources"} if name.startswith("sources/") else set())
    assert {part.split(".")[0] for part in own(CAIF / name)} <= PLAIN | families


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("judge/")])
def test_the_judge_knows_nothing_of_pages_and_cards(name: str) -> None:
    """It works where nothing is reported: report and audit stand upon it."""
    assert not [part for part in own(CAIF / name) if part.split(".")[0] in ("report", "audit", "laws")]


@pytest.mark.parametrize("name", NAMES)
def test_only_models_and_training_import_what_is_heavy(name: str) -> None:
    """So reading, checking, planning and labelling with a server need neither torch nor the seconds it takes."""
    if name.removesuffix(".py").replace("/", ".").startswith(HEAVY_AT_ONCE):
        return
    found = [one for one in imports(CAIF / name) if not one.types_only]
    heavy = [one for one in found if one.module.split(".")[0] in HEAVY]
    assert not [one.module for one in heavy if one.at_once or name not in HEAVY_IN_FUNCTIONS]
    own_heavy = [one for one in found if one.module.removeprefix("caif.").startswith(HEAVY_AT_ONCE)]
    assert not [one.module for one in own_heavy if one.at_once]


@pytest.mark.parametrize("name", NAMES)
def test_only_the_command_line_imports_typer_and_rich(name: str) -> None:
    """Everything else talks through `Tell`."""
    if not name.startswith("cli/") and name != "terminal.py":
        assert not [found.module for found in imports(CAIF / name) if found.module.split(".")[0] in ("typer", "rich")]


@pytest.mark.parametrize("name", NAMES)
def test_no_file_is_longer_than_250_lines(name: str) -> None:
    """A file that is longer holds two things."""
    assert len((CAIF / name).read_text(encoding="utf-8").splitlines()) <= 250
