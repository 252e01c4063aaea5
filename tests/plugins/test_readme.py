"""plugins/README.md is the manual: each hook has a section with its exact signature and an example that is real code."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from caif import hookspecs
from caif.plugins import OBSERVERS, PARTS, load

ROOT = Path(__file__).parents[2]
README = (ROOT / "plugins" / "README.md").read_text()
SPECS = {
    node.name: f"def {node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}: ..."
    for node in ast.parse(Path(hookspecs.__file__).read_text()).body
    if isinstance(node, ast.FunctionDef) and node.name in (*PARTS, *OBSERVERS)
}
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r"(?:<!-- from (\S+) -->\n)?```python\n(.*?)\n```", re.DOTALL)


@pytest.mark.parametrize("hook", SPECS)
def test_every_hook_is_documented_with_its_signature(hook):
    """The heading has the arguments, the first block the whole signature, and an example implements the hook."""
    heading = next(name for name in SECTIONS if name.startswith(hook))
    arguments = [argument.arg for argument in ast.parse(SPECS[hook]).body[0].args.args]
    assert heading == f"{hook}({', '.join(arguments)})"
    (origin, signature), *examples = BLOCK.findall(SECTIONS[heading])
    assert origin == ""
    assert signature.replace('"', "'") == SPECS[hook]
    assert any(f"def {hook}(" in code for _, code in examples)


def test_every_example_is_a_slice_of_a_file_that_is_tested():
    """Code on the page cannot differ from the code that the tests run."""
    for origin, code in BLOCK.findall(README):
        if origin:
            assert f"\n{code}\n" in (ROOT / origin).read_text(), f"{origin}: {code.splitlines()[0]}"
        else:
            assert code in [spec.replace("'", '"') for spec in SPECS.values()]


def test_the_run_file_snippets_are_toml():
    """Each can be pasted into a file."""
    for snippet in re.findall(r"```toml\n(.*?)```", README, re.DOTALL):
        assert tomllib.loads(snippet)


def test_every_part_that_a_snippet_uses_is_there():
    """Names in the text are names of parts."""
    plugins = load([*ROOT.glob("plugins/*.py"), *ROOT.glob("tests/plugins/examples/*.py")])
    names = {name for hook in PARTS for name in plugins.names(hook)}
    used = set(re.findall(r"\b(?:use|format|trainer|recipe) = \"([a-z-]+)\"", README))
    assert used == {"support-tickets", "thumbs", "stars", "plain-words", "unchanged", "data-only"}
    assert used <= names


def test_every_shipped_plugin_is_listed():
    """And every link leads somewhere."""
    listed = re.findall(r"\]\(([^)#]+)\)", README)
    assert all((ROOT / "plugins" / link).exists() for link in listed)
    here = {path.name for path in (ROOT / "plugins").iterdir() if path.suffix == ".py" or path.is_dir()} - {
        "__pycache__"
    }
    assert here == {link.strip("/") for link in listed if "/" not in link.strip("/")}
    anchors = [name.lower().replace(" ", "-").translate(str.maketrans("", "", "(),")) for name in SECTIONS]
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= set(anchors)
