"""The mixture as data sets that TRL takes as they are, byte for byte the same from the same rows."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fakes import PROMPT

from caif.content import Row
from caif.data import Message, Origin, Preference, Prompt, Rating
from caif.dataset import preference_dataset, save, unpaired_dataset
from caif.store import write_rows
from caif.tables import schema_of

TALK = Prompt(
    messages=(
        Message(role="system", content="s"),
        *PROMPT.messages,
        Message(role="assistant", content="a"),
        *PROMPT.messages,
    )
)
PAIRS = [
    Preference(
        prompt=PROMPT,
        chosen="x",
        rejected="y",
        probability=1 / 3,
        weight=0.1,
        objective="o",
        principle="p",
        source="s",
        rater="r",
        origin=Origin(raw="file:3", at=12.5, law="abc", order="both", tokens_in=7, price=0.25),
    ),
    Preference(prompt=TALK.but(split="heldout"), chosen="\x00 \u202e", rejected="", probability=0.9, objective="o"),
]
THUMBS = [
    Rating(prompt=PROMPT, completion="x", up=True, objective="o", reason="good"),
    Rating(prompt=TALK, completion="y", up=False, objective="o"),
]


def batches(rows: Sequence[Row], kind: type[Row]) -> list[pa.RecordBatch]:
    """Return rows as they come from disk."""
    return [pa.RecordBatch.from_pylist([row.model_dump(mode="json") for row in rows], schema_of(kind))]


def saved(data: Any, folder: Path) -> Any:
    from datasets import load_from_disk

    save(data, folder)
    return load_from_disk(str(folder))


def test_pairs_come_back_from_disk_with_all_they_carry(tmp_path: Path) -> None:
    """TRL's columns first, then probability and provenance, exactly; each split holds its own rows."""
    data = saved(preference_dataset(batches(PAIRS, Preference)), tmp_path / "d")
    row = data["train"][0]
    ours = ["probability", "principle", "id", "weight", "objective", "source", "rater", *Origin.model_fields]
    assert list(row) == ["prompt", "chosen", "rejected", *ours]
    assert row["prompt"] == PROMPT.chat
    assert row["chosen"] == [{"role": "assistant", "content": "x"}]
    assert (row["probability"], row["weight"], row["id"], row["principle"]) == (1 / 3, 0.1, PAIRS[0].id, "p")
    assert {name: row[name] for name in Origin.model_fields} == PAIRS[0].origin.model_dump()
    assert data["heldout"][0]["prompt"] == TALK.chat
    assert data["heldout"][0]["chosen"][0]["content"] == "\x00 \u202e"


def test_thumbs_come_back_from_disk_with_all_they_carry(tmp_path: Path) -> None:
    """A label is true or false, never 0 or 1 as text."""
    data = saved(unpaired_dataset(batches(THUMBS, Rating)), tmp_path / "d")
    assert list(data["train"][0])[:3] == ["prompt", "completion", "label"]
    assert data["train"]["label"][:] == [True, False]
    assert data["train"][0]["reason"] == "good"


def test_an_empty_split_is_there_with_its_columns(tmp_path: Path) -> None:
    """Nothing held out, or no thumbs at all: the data set still loads and still has its features."""
    assert saved(preference_dataset(batches(PAIRS[:1], Preference)), tmp_path / "a")["heldout"].num_rows == 0
    empty = saved(unpaired_dataset(batches([], Rating)), tmp_path / "b")
    assert empty["train"].features == unpaired_dataset(batches(THUMBS, Rating))["train"].features


def test_a_tie_is_in_no_data_set_of_hard_pairs(tmp_path: Path) -> None:
    """TRL reads chosen and rejected as a hard label; one half would be a toss."""
    tie = PAIRS[0].but(probability=0.5)
    assert preference_dataset(batches([tie, PAIRS[0]], Preference))["train"]["id"][:] == [PAIRS[0].id]


@pytest.mark.parametrize("kind", ["preference", "unpaired"])
def test_trl_takes_the_rows_for_conversations(kind: str) -> None:
    """TRL's own helpers know them, and its chat template step leaves the answer behind the prompt."""
    from trl.data_utils import is_conversational, maybe_extract_prompt, maybe_unpair_preference_dataset

    data = (
        preference_dataset(batches(PAIRS, Preference))
        if kind == "preference"
        else unpaired_dataset(batches(THUMBS, Rating))
    )
    for row in data["train"]:
        assert is_conversational(row)
        if kind == "preference":
            assert maybe_extract_prompt(dict(row))["prompt"] == row["prompt"]
    if kind == "preference":
        assert maybe_unpair_preference_dataset(data["train"])["label"][:] == [True, False]


MANY = [
    Preference(
        prompt=Prompt.of(f"q{n}").but(split="heldout" if n % 3 else "train"),
        chosen=f"x{n}",
        rejected="y",
        probability=0.7,
        objective="o",
    )
    for n in range(50)
]
WRITER = """
import sys
from pathlib import Path
from caif.dataset import preference_dataset, save
from pyarrow.parquet import ParquetFile
save(preference_dataset(ParquetFile(sys.argv[1]).iter_batches()), Path(sys.argv[2]))
"""


def test_the_same_rows_are_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    """P6: every file of the folder, fingerprints too, whatever the hash seed and whenever it is written."""
    write_rows(tmp_path / "rows.parquet", MANY, Preference)
    save(preference_dataset(batches(MANY, Preference)), tmp_path / "here")
    environment = {**os.environ, "PYTHONHASHSEED": "1", "HF_HUB_OFFLINE": "1"}
    arguments = [sys.executable, "-c", WRITER, str(tmp_path / "rows.parquet"), str(tmp_path / "there")]
    subprocess.run(arguments, check=True, env=environment, cwd=Path(__file__).parents[2], capture_output=True)
    found = []
    for folder in (tmp_path / "here", tmp_path / "there"):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        found.append({str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files})
    assert found[0] == found[1]
    assert len(found[0]) == 7
