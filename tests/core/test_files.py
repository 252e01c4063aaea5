"""Files of people are read strictly: whatever is wrong with one is a CaifError that says where (RELIABILITY 28, 29)."""

import math
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caif.errors import WRONG, CaifError
from caif.files import load, read_text

ALIASES = "\n".join(
    ["a: &a [x,x,x,x,x,x,x,x,x,x]", *(f"{b}: &{b} [*{a},*{a},*{a}]" for a, b in zip("abcde", "bcdef", strict=True))]
)


def refused(tmp_path: Path, name: str, content: str | bytes) -> str:
    """Return the message with which a file is refused."""
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(CaifError) as caught:
        load(file)
    assert caught.value.code == WRONG
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["x.toml", "x.yaml", "x.json"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    """Not StopIteration, not an empty run: one line (RELIABILITY 23)."""
    assert "x." in refused(tmp_path, name, "")


def test_a_broken_line_17_is_named(tmp_path: Path) -> None:
    """The message leads to the line."""
    lines = [f"key{n} = {n}" for n in range(1, 20)]
    lines[16] = "key17 = = 17"
    assert "x.toml:17: not valid TOML" in refused(tmp_path, "x.toml", "\n".join(lines))
    assert "x.yaml:17: not valid YAML" in refused(
        tmp_path, "x.yaml", "".join(f"k{n}: 1\n" for n in range(16)) + "b: 1: 2\n"
    )
    assert "x.json:17: not valid JSON" in refused(tmp_path, "x.json", "{" + "\n" * 16 + '"a" 1}')


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.toml", "a = 1\na = 2"),
        ("x.yaml", "a: 1\na: 2"),
        ("x.json", '{"a": 1, "a": 2}'),
        ("y.yaml", "t:\n  a: 1\n  a: 2"),
    ],
)
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, name: str, content: str) -> None:
    """Which of the two was meant is not guessed."""
    message = refused(tmp_path, name, content)
    assert "twice" in message or "overwrite" in message


def test_a_learning_rate_written_1e_5_is_a_number(tmp_path: Path) -> None:
    """YAML 1.1 reads 1e-5 as text; a run file means a number."""
    (tmp_path / "x.yaml").write_text("lr: 1e-5\nbig: 3E8\nname: 1e\n")
    assert load(tmp_path / "x.yaml") == {"lr": 1e-5, "big": 3e8, "name": "1e"}


@pytest.mark.parametrize(
    "content",
    [
        "a: !!python/object/apply:os.system ['touch pwned']", "a: !!python/name:os.system", "a: !!python/object:os.Foo {}",
        "a: !ruby/object:X {}", "a: !!timestamp x", "a: !!bool x", "a: !!int x", "a: 2024-13-45", "? [a]\n: b", "? {a: b}\n: c",
        "a: *unknown", "\x01: 2", "a: &a [*a]", "1: x", "null: x", "- a", "a: 1\n<<: 3",
    ],
)  # fmt: skip
def test_yaml_that_is_more_than_plain_values_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    """P4: nothing in a file is run; and what PyYAML does not wrap is an error of caif's all the same."""
    monkeypatch.chdir(tmp_path)
    refused(tmp_path, "x.yaml", content)
    assert not (tmp_path / "pwned").exists()


def test_aliases_of_aliases_are_refused(tmp_path: Path) -> None:
    """An alias bomb is small on disk and huge to walk."""
    assert "holds more than" in refused(tmp_path, "x.yaml", ALIASES.replace("x,x", ",".join("x" * 600)))
    assert "aliases" in refused(tmp_path, "y.yaml", "a: &a [x]\nb: [" + ",".join(["*a"] * 50) + "]")


def test_a_few_aliases_are_fine(tmp_path: Path) -> None:
    """An anchor used twice is what anchors are for."""
    (tmp_path / "x.yaml").write_text("a: &a {use: x}\nb: *a\nc: *a\n")
    assert load(tmp_path / "x.yaml")["c"] == {"use": "x"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.json", '{"a":' * 100_000), ("x.json", '{"a":' * 300 + "1" + "}" * 300), ("x.toml", "a = " + "[" * 100_000),
        ("x.toml", "a = " + "[" * 50 + "]" * 50), ("x.yaml", "a: " + "[" * 2000),
    ],
)  # fmt: skip
def test_deep_nesting_is_refused(tmp_path: Path, name: str, content: str) -> None:
    """A RecursionError is not an answer, nor is one that would come later."""
    assert "nested too deep" in refused(tmp_path, name, content)


@pytest.mark.parametrize("name", ["x.toml", "x.yaml", "x.json"])
def test_a_number_of_5000_digits_is_refused(tmp_path: Path, name: str) -> None:
    """Python refuses to read it with an error of its own kind."""
    big = "9" * 5000
    content = {"x.toml": f"a = {big}", "x.yaml": f"a: {big}", "x.json": f'{{"a": {big}}}'}[name]
    assert "cannot be read" in refused(tmp_path, name, content)


def test_a_file_of_10_mb_is_refused_unread(tmp_path: Path) -> None:
    """The limit is looked at before the content."""
    started = time.monotonic()
    assert "over the limit" in refused(tmp_path, "x.toml", "a = 1\n" * 2_000_000)
    assert time.monotonic() - started < 2


def test_many_keys_are_read_in_no_time(tmp_path: Path) -> None:
    """Looking for doubled keys must not take the square of their number."""
    (tmp_path / "x.json").write_text("{" + ",".join(f'"k{n}":1' for n in range(40_000)) + "}")
    started = time.monotonic()
    assert len(load(tmp_path / "x.json")) == 40_000
    assert time.monotonic() - started < 2


def test_text_that_is_not_utf_8_is_named_by_line(tmp_path: Path) -> None:
    """A file saved as Latin-1 says which line to look at; a byte order mark is no fault."""
    assert "x.toml:2: not UTF-8" in refused(tmp_path, "x.toml", "a = 1\nb = 'é'".encode("latin-1"))
    (tmp_path / "bom.toml").write_bytes(b"\xef\xbb\xbfa = 1")
    assert load(tmp_path / "bom.toml") == {"a": 1}


def test_half_a_surrogate_pair_in_json_is_refused(tmp_path: Path) -> None:
    """JSON can spell what no file can hold."""
    assert "half a surrogate pair" in refused(tmp_path, "x.json", '{"a": ["\\ud800"]}')
    assert "half a surrogate pair" in refused(tmp_path, "x.json", '{"\\ud800": 1}')


@pytest.mark.parametrize("name", ["a" * 300 + ".toml", "nul\0.toml", "no/such/folder/x.toml", ".", "x.ini"])
def test_a_path_that_cannot_be_read_is_one_line(tmp_path: Path, name: str) -> None:
    """Too long, with a NUL, missing, a folder, of no known format: never a traceback."""
    (tmp_path / "x.ini").write_text("a")
    with pytest.raises(CaifError):
        load(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_one_may_not_read_is_one_line(tmp_path: Path) -> None:
    """PermissionError becomes a sentence."""
    (tmp_path / "x.toml").write_text("a = 1")
    (tmp_path / "x.toml").chmod(0)
    with pytest.raises(CaifError, match="cannot be read"):
        load(tmp_path / "x.toml")


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    """Most missing files are misspelt ones."""
    (tmp_path / "run.toml").write_text("a = 1")
    with pytest.raises(CaifError, match=r"there is: run\.toml"):
        read_text(tmp_path / "runn.toml")


@given(
    st.sampled_from([".toml", ".yaml", ".json"]),
    st.text(max_size=200) | st.text("{}[]:,\"'\n -&*!<>=#.0123456789eaT|", max_size=60),
)
@settings(deadline=None, max_examples=300)
def test_any_content_is_a_table_or_a_caif_error(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, text: str
) -> None:
    """RELIABILITY 43: a parser raises nothing but its own error, whatever stands in the file."""
    file = tmp_path_factory.getbasetemp() / f"any{suffix}"
    file.write_bytes(text.encode("utf-8", "replace"))
    try:
        table = load(file)
    except CaifError:
        return
    assert table
    assert all(isinstance(key, str) for key in table)


def test_nan_is_read_and_left_to_the_fields_to_refuse(tmp_path: Path) -> None:
    """NaN is legal TOML; which numbers make sense is known where they are used."""
    (tmp_path / "x.toml").write_text("a = nan")
    assert math.isnan(load(tmp_path / "x.toml")["a"])
