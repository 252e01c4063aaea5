"""Read a TOML, YAML or JSON file into plain values, refusing whatever reads one way and means another.

Duplicate keys, alias bombs, tagged Python objects, deep nesting and files over 1 MB are refused with file and line.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from caif.errors import CaifError

MAX_BYTES = 1_000_000
MAX_ALIASES = 20


def load(path: Path) -> dict[str, Any]:
    """Return the table in a `.toml`, `.yaml`, `.yml` or `.json` file."""
    text = read_text(path)
    readers = {".toml": _toml, ".yaml": _yaml, ".yml": _yaml, ".json": _json}
    if path.suffix not in readers:
        raise CaifError(f"{path}: cannot tell the format from {path.suffix!r}", "name it .toml, .yaml or .json")
    try:
        content = readers[path.suffix](text, path)
    except RecursionError:
        raise CaifError(f"{path}: nested too deep", "flatten it") from None
    if not isinstance(content, dict) or not content:
        raise CaifError(f"{path}: is empty or not a table of keys", "start from an example: caif run --help")
    return content


def read_text(path: Path, limit: int = MAX_BYTES) -> str:
    """Return a UTF-8 file's text, without a byte order mark."""
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob(f"*{path.suffix}"))[:5] if path.parent.is_dir() else []
        raise CaifError(f"{path}: no such file", f"there is: {', '.join(near)}" if near else "check the path")
    if (size := path.stat().st_size) > limit:
        raise CaifError(f"{path}: {size} bytes is over the limit of {limit}", "is this the right file?")
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CaifError(f"{path}:{line}: not UTF-8", "save it as UTF-8") from None


def _toml(text: str, path: Path) -> object:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = found.group(1) if found else len(text.splitlines())
        raise CaifError(f"{path}:{line}: not valid TOML: {str(error).split(' (at')[0]}", "mend that line") from None


def _json(text: str, path: Path) -> object:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        keys = [key for key, _ in pairs]
        if doubled := {key for key in keys if keys.count(key) > 1}:
            raise CaifError(f"{path}: key {sorted(doubled)[0]!r} stands twice in one table", "remove one")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise CaifError(f"{path}:{error.lineno}: not valid JSON: {error.msg}", "mend that line") from None


class _Strict(yaml.SafeLoader):
    """SafeLoader that refuses duplicate keys and many aliases, and reads 1e-5 as a number."""

    aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MAX_ALIASES:
                raise yaml.constructor.ConstructorError(None, None, "too many aliases", self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Strict.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(?:\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def _yaml(text: str, path: Path) -> object:
    try:
        return yaml.load(text, _Strict)  # noqa: S506 - a SafeLoader, stricter
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CaifError(f"{path}:{line}: not valid YAML: {error.problem}", "mend that line") from None
    except yaml.YAMLError as error:
        raise CaifError(f"{path}: not valid YAML: {error}", "mend the file") from None
