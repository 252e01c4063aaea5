"""`caif feedback import`: usable rows come back as they were read, the others are set aside, nothing half is written."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caif.data import Message, Origin, Preference, Prompt, Rating, Rejected
from caif.feedback.bringing import bring
from caif.feedback.outfile import rows_of
from caif.formats.caif_rows import as_line, caif_rows
from caif.sections import Source

GOOD = {"prompt": "a", "completion": "b", "up": True, "rater": "ann"}
PAIR = {"prompt": "a", "chosen": "b", "rejected": "c"}
BAD = {"prompt": "mail ann@example.org", "completion": "b", "up": 1, "user_email": "x", "user": {"id": 7, "ok": True}}
FAULTY = (b'{"up": NaN, "user_id": "u-1", "prompt": "a"}\n', b'not JSON, ask\\n+49 30 1234567 "user_id": "u-7"\n')


def read(name: str) -> list:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in Path(name).read_text(encoding="utf-8").splitlines()]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)
MAYBE = st.just("") | TEXT
TALK = st.lists(TEXT, min_size=1, max_size=3).map(
    lambda said: Prompt(messages=tuple(
        Message(role=role, content=text) for role, text in zip(("user", "assistant", "user"), [*said, *said][: 1 if len(said) == 1 else 3], strict=False)
    ))
)  # fmt: skip
ORIGIN = st.builds(Origin, raw=TEXT, at=st.none() | st.floats(0, 1e10), conversation=MAYBE)
BOTH = {"prompt": TALK, "objective": TEXT, "rater": MAYBE, "weight": st.floats(0, 1e6), "origin": ORIGIN}
RATING = st.builds(Rating, completion=TEXT, up=st.booleans(), reason=MAYBE, correction=MAYBE, **BOTH)
PREFERENCE = st.builds(
    Preference, chosen=TEXT, rejected=TEXT.map("{}!".format), probability=st.floats(0, 1), principle=MAYBE, **BOTH
).filter(lambda row: row.chosen != row.rejected)


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(RATING | PREFERENCE, min_size=1, max_size=5))
def test_what_is_written_is_what_is_read(tmp_path_factory, rows):
    """Every field that an imported row can have survives its file, and so does its id."""
    out = tmp_path_factory.mktemp("rows") / "out.jsonl"
    with rows_of(out) as put:
        for row in rows:
            put(as_line(row))
    assert list(caif_rows()(out)) == rows


def test_rows_that_cannot_be_used_are_set_aside_with_file_line_and_reason(write, caif):
    """The row itself is there too, with who said it hidden and what is personal masked; the others are imported."""
    write("in.jsonl", GOOD, BAD, PAIR, *FAULTY, GOOD)
    result = caif("feedback", "import", "in.jsonl", "-o", "out.jsonl", "--format", "caif")
    assert result.exit_code == 0, result.output
    rows = list(caif_rows()(Path("out.jsonl")))
    assert [row.origin.raw for row in rows] == ["in.jsonl:1", "in.jsonl:3", "in.jsonl:6"]
    bad, faulty, broken = read("out.quarantine.jsonl")
    assert (bad["file"], bad["line"], bad["reason"]) == ("in.jsonl", 2, "unknown key")
    assert bad["row"] == BAD | {"prompt": "mail <email-1>", "user_email": "<hidden>", "user": {"id": 7, "ok": True}}
    assert (faulty["line"], faulty["reason"], faulty["row"]["user_id"]) == (4, "NaN or Infinity", "<hidden>")
    assert (broken["line"], broken["reason"]) == (5, "not JSON")
    assert broken["row"] == 'not JSON, ask\n<phone-1> "user_id": "<hidden>"'
    assert "3 rows set aside in out.quarantine.jsonl" in result.output
    assert "in.jsonl:4" in result.output


def test_rows_made_to_be_hard_to_set_aside_are_set_aside_too(write, caif):
    """Nested too deep to be shown, or long and full of what looks like a key that names somebody: neither stops anything."""
    good = json.loads((Path(__file__).parents[1] / "formats/data/open_webui_export.json").read_text(encoding="utf-8"))[
        0
    ]
    write("in.json", f'[{json.dumps(good)}, {{"type": "rating", "x": {"[" * 600}{"]" * 600}}}]'.encode())
    assert caif("feedback", "import", "in.json", "-o", "deep.jsonl").exit_code == 0
    assert read("deep.quarantine.jsonl")[0]["reason"]
    write("in.jsonl", GOOD, b'{"' + b"user" * 200_000 + b"\n")
    started = time.process_time()
    assert caif("feedback", "import", "in.jsonl", "-o", "long.jsonl", "--format", "caif").exit_code == 0
    assert time.process_time() - started < 3
    assert len(read("long.quarantine.jsonl")[0]["row"]) <= 4000


def test_a_place_that_cannot_be_written_to_is_one_line(write, caif):
    """A folder, and a folder that is a file."""
    write("in.jsonl", GOOD)
    Path("folder.jsonl").mkdir()
    for out, says in (("folder.jsonl", "is a folder"), ("in.jsonl/out.jsonl", "cannot be written to")):
        result = caif("feedback", "import", "in.jsonl", "-o", out, "--format", "caif", "--force")
        assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
        assert says in result.stderr


def test_records_of_an_array_are_set_aside_by_their_number(write, caif):
    """Where there are no lines, a record has its place in the array."""
    record = {"type": "rating", "user_id": "u-1", "data": None, "meta": {}, "snapshot": {}}
    good = json.loads((Path(__file__).parents[1] / "formats/data/open_webui_export.json").read_text(encoding="utf-8"))[
        0
    ]
    write("in.json", json.dumps([good, record, 5, good]).encode())
    assert caif("feedback", "import", "in.json", "-o", "out.jsonl").exit_code == 0
    aside = read("out.quarantine.jsonl")
    assert [(row["record"], row["reason"]) for row in aside] == [(2, "no data"), (3, "not an object")]
    assert aside[0]["row"] == record | {"user_id": "<hidden>"}
    assert "u-1" not in Path("out.quarantine.jsonl").read_text()


def test_rows_of_a_table_are_set_aside_by_their_line(write, caif):
    """A row that spans lines has the number of its first one, and polarity is as it was told."""
    write("in.csv", b'q,a,score,who\nx,"two\nlines",1,ann\nx,y,0,ann\nx,z,2,bob@example.org\n')
    asked = (
        "in.csv",
        "-o",
        "out.jsonl",
        "--map",
        "prompt=q,response=a,rating=score,rater=who",
        "--up",
        "1",
        "--down",
        "0",
    )
    assert caif("feedback", "import", *asked).exit_code == 0
    assert [row["up"] for row in read("out.jsonl")] == [True, False]
    (row,) = read("out.quarantine.jsonl")
    assert (row["line"], row["reason"], row["row"]["who"]) == (5, "ambiguous polarity", "<email-1>")


def test_the_last_lines_say_how_to_use_it(write, caif):
    """What is printed is a run file's own text: one source a kind of row."""
    write("in.jsonl", GOOD, PAIR)
    said = caif("feedback", "import", "in.jsonl", "-o", "it is\\mine.jsonl", "--format", "caif").stdout
    stanza = tomllib.loads(said[said.index("[[feedback]]") :])["feedback"]
    assert stanza == [{"use": use, "path": "it is\\mine.jsonl"} for use in ("thumbs", "pairs")]
    assert [Source.model_validate(source).label for source in stanza] == ["thumbs", "pairs"]


@pytest.mark.parametrize(("policy", "code", "files"), [
    ("fail", 2, ["in.jsonl"]), ("skip", 0, ["in.jsonl", "out.jsonl"]),
    ("quarantine", 0, ["in.jsonl", "out.jsonl", "out.quarantine.jsonl"]), ("quarantin", 2, ["in.jsonl"]),
])  # fmt: skip
def test_the_policy_says_what_becomes_of_unusable_rows(write, caif, policy, code, files):
    """Fail writes nothing and names the first one; the others import the rest; a misspelt one is refused."""
    write("in.jsonl", GOOD, BAD)
    result = caif("feedback", "import", "in.jsonl", "-o", "out.jsonl", "--format", "caif", "--policy", policy)
    assert result.exit_code == code
    assert sorted(path.name for path in Path().iterdir()) == files
    if policy == "fail":
        assert result.stderr.startswith("caif: in.jsonl:2: unknown key: ")
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("content", "says"), [
    (b"", "no usable rows"), (b"\n\n", "no usable rows"), (b'{"prompt": 1}\n', "turned away: missing key (1)"),
])  # fmt: skip
def test_no_usable_rows_is_an_error_and_leaves_nothing(write, caif, content, says):
    """An empty file is told from an empty import."""
    write("in.jsonl", content)
    result = caif("feedback", "import", "in.jsonl", "-o", "out.jsonl", "--format", "caif")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert says in result.stderr
    assert [path.name for path in Path().iterdir()] == ["in.jsonl"]


def test_nothing_is_overwritten_unasked(write, caif):
    """Neither the file nor what was set aside; with --force both are those of this import."""
    write("in.jsonl", GOOD)
    for name in ("out.jsonl", "out.quarantine.jsonl"):
        write(name, {"mine": 1})
        result = caif("feedback", "import", "in.jsonl", "-o", "out.jsonl", "--format", "caif")
        assert (result.exit_code, Path(name).read_text()) == (2, '{"mine": 1}\n')
        assert f"{name}: is there already" in result.stderr
        Path(name).unlink()
    write("out.quarantine.jsonl", {"old": 1})
    assert caif("feedback", "import", "in.jsonl", "-o", "out.jsonl", "--format", "caif", "--force").exit_code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["in.jsonl", "out.jsonl"]
    assert "ends in .jsonl" in caif("feedback", "import", "in.jsonl", "-o", "out.csv", "--format", "caif").stderr


@pytest.mark.parametrize("command", ["import", "scrub"])
def test_a_file_is_never_written_over_itself(write, caif, command):
    """Not with --force either, nor under another name of it: what cannot be used of it is nowhere else."""
    file = write("in.jsonl", GOOD, BAD)
    Path("alias.jsonl").symlink_to(file)
    before = file.read_bytes()
    for out in ("in.jsonl", "./in.jsonl", "alias.jsonl"):
        result = caif("feedback", command, "in.jsonl", "-o", out, "--force")
        assert (result.exit_code, len(result.stderr.splitlines()), file.read_bytes()) == (2, 1, before)
        assert "is what is read" in result.stderr


def test_raters_are_hashed_with_the_salt_of_the_variable(write, caif, monkeypatch):
    """The same salt gives the same raters, another one others; a variable that is not set is refused, as is no use for one."""
    write("in.json", (Path(__file__).parents[1] / "formats/data/open_webui_export.json").read_bytes())
    raters = []
    for n, salt in enumerate(("sk-CANARY1", "sk-CANARY1", "sk-CANARY2")):
        monkeypatch.setenv("MY_SALT", salt)
        assert caif("feedback", "import", "in.json", "-o", f"{n}.jsonl", "--salt-env", "MY_SALT").exit_code == 0
        raters.append({row["rater"] for row in read(f"{n}.jsonl") if "rater" in row})
    assert raters[0] == raters[1] != raters[2]
    assert not any("CANARY" in path.read_text(encoding="utf-8") for path in Path().iterdir())
    assert "everybody knows" in caif("feedback", "import", "in.json", "-o", "3.jsonl").stdout
    monkeypatch.delenv("MY_SALT")
    assert (
        "MY_SALT is not set" in caif("feedback", "import", "in.json", "-o", "4.jsonl", "--salt-env", "MY_SALT").stderr
    )
    monkeypatch.setenv("MY_SALT", "one")
    write("caif.jsonl", GOOD)
    assert "takes no salt" in caif("feedback", "import", "caif.jsonl", "-o", "4.jsonl", "--salt-env", "MY_SALT").stderr


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: pa.compress(content, codec="zstd", asbytes=True)])
def test_packed_files_are_brought_in_as_they_are(write, caif, pack):
    """Places are those in the unpacked file."""
    content = b"".join(f"{json.dumps(row)}\n".encode() for row in (GOOD, BAD))
    write("in.jsonl.packed", pack(content))
    assert caif("feedback", "import", "in.jsonl.packed", "-o", "out.jsonl", "--format", "caif").exit_code == 0
    assert (len(read("out.jsonl")), read("out.quarantine.jsonl")[0]["line"]) == (1, 2)


def test_memory_is_flat_whatever_the_file_holds(tmp_path):
    """Twenty times the rows, half of them unusable, take no more memory: nothing is kept but counts."""

    def peak(count: int) -> int:
        out = tmp_path / f"{count}.jsonl"
        good = Rating(prompt=Prompt.of("a" * 500), completion="b", up=True, objective="x")
        rows = (good if n % 2 else Rejected(where=f"in.jsonl:{n}", reason="r", detail="d" * 500) for n in range(count))
        tracemalloc.start()
        assert bring(rows, tmp_path / "in.jsonl", out, "quarantine").usable == count // 2
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(4000) < peak(200) + 200_000


def test_a_killed_import_leaves_no_file_in_its_place(write):
    """kill -9 in the middle: the name is free, and what an earlier import left there is whole."""
    write("in.jsonl", *[GOOD] * 50)
    Path("slow.py").write_text(
        "import sys, time, pathlib\n"
        "from caif.feedback.bringing import bring\n"
        "from caif.formats.caif_rows import caif_rows\n"
        "def slow(rows):\n"
        "    for n, row in enumerate(rows):\n"
        "        yield row\n"
        "        if n == 20: print('here', flush=True); time.sleep(60)\n"
        "file = pathlib.Path('in.jsonl')\n"
        "bring(slow(caif_rows()(file)), file, pathlib.Path('out.jsonl'), 'quarantine')\n"
    )
    write("out.jsonl", GOOD)
    before = Path("out.jsonl").read_bytes()
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    child = subprocess.Popen([sys.executable, "slow.py"], stdout=subprocess.PIPE, text=True, env=path)
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert Path("out.jsonl").read_bytes() == before
    assert not Path("out.quarantine.jsonl").exists()


def test_an_import_that_fails_in_the_middle_takes_its_scratch_file_away(write):
    """Whatever goes wrong, the folder is as it was."""
    write("in.jsonl", GOOD)

    def rows():
        yield Rating(prompt=Prompt.of("a"), completion="b", up=True, objective="x")
        raise ValueError("the reader broke")

    with pytest.raises(ValueError, match="broke"):
        bring(rows(), Path("in.jsonl"), Path("out.jsonl"), "quarantine")
    assert [path.name for path in Path().iterdir()] == ["in.jsonl"]


def test_what_rows_are_about_is_for_the_run_file_to_say_unless_it_was_said_before(write, caif):
    """An import leaves the objective open; named with --option, or by the rows, it is written into each."""
    write("in.jsonl", GOOD)
    told = caif("feedback", "import", "in.jsonl", "-o", "open.jsonl").stdout
    assert "no row names an objective" in " ".join(told.split())
    assert [row.objective for row in caif_rows("honesty")(Path("open.jsonl"))] == ["honesty"]
    told = caif("feedback", "import", "in.jsonl", "-o", "named.jsonl", "--option", "objective=taste").stdout
    assert "objectives that rows name: taste (1)" in " ".join(told.split())
    assert [row.objective for row in caif_rows("honesty")(Path("named.jsonl"))] == ["taste"]


def test_the_quarantine_hides_who_and_keeps_which(write, caif):
    """By the product's ids of chat and message a row is found again; whose it is stands nowhere."""
    ids = {"chat_id": "c-1", "message_id": "m-1"}
    write("in.jsonl", GOOD, {**BAD, **ids, "user_id": "u-9"})
    assert caif("feedback", "import", "in.jsonl", "-o", "out.jsonl", "--format", "caif").exit_code == 0
    (aside,) = read("out.quarantine.jsonl")
    assert ids.items() <= aside["row"].items()
    assert "u-9" not in Path("out.quarantine.jsonl").read_text()
