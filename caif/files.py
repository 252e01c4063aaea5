"""Read a TOML, YAML or JSON file into plain values, refusing whatever reads one way and means another.

Duplicate keys, alias bombs, tagged Python objects, deep nesting and files over 1 MB are refused with file and line.
Whatever is wrong with a file, the error is a CaifError.
"""

import json
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from caif.errors import CaifError
from caif.text import is_whole

MAX_BYTES = 1_000_000
MAX_ALIASES = 20
MAX_DEPTH = 20
MAX_VALUES = 100_000


def load(path: Path) -> dict[str, Any]:
    """Return the table in a `.toml`, `.yaml`, `.yml` or `.json` file."""
    content = parse(path)
    if not isinstance(content, dict) or not content:
        raise CaifError(f"{path}: is empty or not a table of keys", "write keys into it; README.md and constitutions/ have examples")
    return content


def parse(path: Path) -> object:
    """Return what stands in a `.toml`, `.yaml`, `.yml` or `.json` file; only the last two can hold a list or one value."""
    text = read_text(path)
    readers = {".toml": _toml, ".yaml": _yaml, ".yml": _yaml, ".json": _json}
    if path.suffix not in readers:
        raise CaifError(f"{path}: cannot tell the format from {path.suffix!r}", "name it .toml, .yaml or .json")
    try:
        content = readers[path.suffix](text, path)
    except RecursionError:
        raise CaifError(f"{path}: nested too deep", "flatten it") from None
    except (ValueError, LookupError, AttributeError) as error:  # unwrapped: 5,000 digits, a 13th month, !!bool x
        raise CaifError(f"{path}: a value cannot be read: {error}", "mend that value") from None
    _refuse_unwieldy(content, path)
    return content


def _refuse_unwieldy(content: object, path: Path) -> None:
    """Refuse what is small on disk and huge or bottomless to walk, as aliases of aliases are, and what no file can hold."""
    waiting, seen = [(content, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH:
            raise CaifError(f"{path}: nested too deep", "flatten it")
        if seen > MAX_VALUES:
            raise CaifError(f"{path}: holds more than {MAX_VALUES} values", "is this the right file?")
        if isinstance(value, str) and not is_whole(value):
            raise CaifError(f"{path}: a text holds half a surrogate pair: {ascii(value):.60}", "write all of it")
        if isinstance(value, dict):
            if wrong := [key for key in value if not isinstance(key, str)]:
                raise CaifError(f"{path}: key {wrong[0]!r:.60} is not a text", "write it in quotes")
            waiting.extend((part, depth + 1) for pair in value.items() for part in pair)
        elif isinstance(value, (list, tuple, set)):
            waiting.extend((part, depth + 1) for part in value)


def read_text(path: Path, limit: int = MAX_BYTES) -> str:
    """Return a UTF-8 file's text, without a byte order mark."""
    try:
        if not path.is_file():
            near = sorted(p.name for p in path.parent.glob(f"*{path.suffix}"))[:5] if path.parent.is_dir() else []
            raise CaifError(f"{path}: no such file", f"there is: {', '.join(near)}" if near else "check the path")
        if (size := path.stat().st_size) > limit:
            raise CaifError(f"{path}: {size} bytes is over the limit of {limit}", "is this the right file?")
        raw = path.read_bytes()
    except OSError as error:
        raise CaifError(f"{path}: cannot be read: {error.strerror}", "check the path and its permissions") from None
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
        for key, times in Counter(key for key, _ in pairs).items():
            if times > 1:
                raise CaifError(f"{path}: key {key!r} stands twice in one table", "remove one")
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
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is not a text", key.start_mark)
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
        raise CaifError(f"{path}: not valid YAML: {' '.join(str(error).split())}", "mend the file") from None
