"""Write a constitution as a file that reads back as the same one, in TOML for people or in JSON for programs."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from caif.constitution import BRACED, Constitution, read
from caif.errors import CaifError
from caif.files import MAX_BYTES

OPEN = "open"
"""The term that stands for an opening brace, where a text would otherwise seem to name a term."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_DOUBLED, _ESCAPED = re.compile(r'"(?="|\Z)'), r'\\"'
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # a carriage return too: TOML's reader would make a line's end of it


def table(law: Constitution) -> dict[str, Any]:
    """Return the constitution as the table that its file holds; what has its default value is left out."""
    plain = law.model_dump(mode="json", exclude_defaults=True)
    escaped = _escape(plain)
    terms = {"terms": {OPEN: "{"}} if escaped != plain else {}
    order = ("name", "version", "origin", "objectives")
    return {**{key: escaped[key] for key in order if key in escaped}, **terms, "principles": escaped["principles"]}


def as_json(law: Constitution) -> str:
    """Return the constitution as JSON."""
    return json.dumps(table(law), ensure_ascii=False, indent=1) + "\n"


def as_toml(law: Constitution) -> str:
    """Return the constitution as TOML, long texts on lines of their own."""
    return "\n".join(_lines(table(law), "")) + "\n"


def save(text: str, out: Path) -> None:
    """Write a new file; one that is there already may hold somebody's work."""
    if out.exists():
        raise CaifError(f"{out}: is there already", "name another file, or remove that one")
    try:
        out.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise CaifError(f"{out}: cannot be written: {error.strerror}", "check the path and its permissions") from None


def save_constitution(law: Constitution, out: Path) -> None:
    """Write a constitution and make sure that it reads back as it is."""
    writers = {".toml": as_toml, ".json": as_json}
    if out.suffix not in writers:
        raise CaifError(f"{out}: cannot tell the format from {out.suffix!r}", "name it .toml or .json")
    text = writers[out.suffix](law)
    if (size := len(text.encode())) > MAX_BYTES:
        raise CaifError(f"{out}: would be {size} bytes, over the limit of {MAX_BYTES}", "split the source")
    save(text, out)
    if read(out) != law:
        raise AssertionError(f"{out} does not read back as what was written")  # a mistake of ours, not of the file


def _escape(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escape(item) for item in value]
    if isinstance(value, str) and BRACED.search(value):
        return value.replace("{", f"{{{OPEN}}}")
    return value


def _lines(values: Mapping[str, Any], path: str) -> Iterator[str]:
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lists = {key: v for key, v in values.items() if isinstance(v, list) and any(isinstance(i, Mapping) for i in v)}
    for key, value in values.items():
        if key not in tables and key not in lists:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in tables.items():
        yield from ("", f"[{path}{_key(key)}]", *_lines(value, f"{path}{_key(key)}."))
    for key, items in lists.items():
        for item in items:
            yield from ("", f"[[{path}{_key(key)}]]", *_lines(item, f"{path}{_key(key)}."))


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _long(value) if "\n" in value else _string(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)


def _string(text: str) -> str:
    return '"' + _plain(text).replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n") + '"'


def _long(text: str) -> str:
    """A text on lines of its own: the line's end after the opening quotes is not part of it."""
    return f'"""\n{_DOUBLED.sub(_ESCAPED, _plain(text))}"""'


def _plain(text: str) -> str:
    return _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text.replace("\\", "\\\\"))
