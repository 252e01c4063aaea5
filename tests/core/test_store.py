"""An artifact is whole or not there; what it holds is what was written; its key is all that could change it."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes import FAKE, PROMPT, config, run_with, stage

from caif.config import Combine, Exec, Generate, Law, ModelSpec, Source
from caif.content import Row
from caif.data import Completion, Judgement, Preference, Prompt, Rating, Rejected, Revision, Turn
from caif.errors import CaifError
from caif.store import MANIFEST, Artifact, Store, key_of, read_rows, write_rows

KEY = "0123456789abcdef0123456789abcdef"
ROWS = [Completion(prompt=Prompt.of(f"q{n}", tags=["t"]), text=f"a{n}", model="m") for n in range(5)]


def made(store: Store, key: str = KEY, name: str = "generate") -> Artifact:
    draft = store.draft(name, key)
    draft.write(ROWS, Completion)
    return store.finish(draft, {"key": key, "stage": name, "by": name, "counts": draft.counts, "metrics": {}})


def test_a_finished_artifact_is_found_with_its_rows(tmp_path: Path) -> None:
    """What was written is what is read, and a kind it does not hold is an empty list."""
    store = Store(tmp_path)
    made(store)
    found = store.find("generate", KEY)
    assert found is not None
    assert found.rows(Completion) == ROWS
    assert found.rows(Preference) == []


def test_an_artifact_without_its_manifest_does_not_exist(tmp_path: Path) -> None:
    """The manifest is written last, so a folder without one is half an artifact."""
    store = Store(tmp_path)
    (made(store).folder / MANIFEST).unlink()
    assert store.find("generate", KEY) is None


def test_an_interrupted_draft_is_thrown_away(tmp_path: Path) -> None:
    """What a killed stage left behind is neither found nor mixed with what is made next."""
    store = Store(tmp_path)
    draft = store.draft("generate", KEY)
    draft.write(ROWS, Completion)
    (draft.folder / "left.over").write_text("x")
    assert store.find("generate", KEY) is None
    assert made(store).folder.joinpath("left.over").exists() is False
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"generate-{KEY[:16]}"]


def test_a_stage_that_fails_leaves_no_artifact(tmp_path: Path) -> None:
    """An exception in the middle of a stage is an artifact that is not there, and the next run makes it."""
    run = run_with(tmp_path)

    def fail(work: Any) -> None:
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        run.build(stage("generate", ROWS, also=fail), cfg=Generate())
    again = run.build(stage("generate", ROWS), cfg=Generate())
    assert again is not None
    assert again.rows(Completion) == ROWS
    assert run.made == ["generate"]


@pytest.mark.parametrize("name", ["my.source", "v1.0", "a.partial", "plain"])
def test_a_name_with_a_dot_is_a_name(tmp_path: Path, name: str) -> None:
    """A feedback source may be called v1.0: its artifact is found again, and two such names do not share a folder."""
    store = Store(tmp_path)
    made(store, name=name)
    made(store, name=f"{name}.2")
    assert store.find(name, KEY) is not None
    assert store.find(f"{name}.2", KEY) is not None
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"key": "other"}'])
def test_a_damaged_manifest_is_one_line(tmp_path: Path, text: str) -> None:
    """The message names the file and the way out."""
    store = Store(tmp_path)
    (made(store).folder / MANIFEST).write_text(text)
    with pytest.raises(CaifError, match=r"artifact\.json.*made anew"):
        store.find("generate", KEY)


def test_a_tampered_row_is_refused(tmp_path: Path) -> None:
    """An answer that was changed on disk does not match its id any more."""
    artifact = made(Store(tmp_path))
    file = artifact.folder / "completion.parquet"
    table = pq.read_table(file)
    texts = pa.array(["a0", "a1", "bought", "a3", "a4"])
    pq.write_table(table.set_column(table.schema.get_field_index("text"), "text", texts), file)
    with pytest.raises(CaifError, match=r"row 3: row id .* does not match its content"):
        artifact.rows(Completion)


@pytest.mark.parametrize("damage", ["shorter", "gone", "truncated", "garbage"])
def test_missing_or_broken_rows_are_an_error_not_fewer_rows(tmp_path: Path, damage: str) -> None:
    """A table that lost rows would silently train on less."""
    artifact = made(Store(tmp_path))
    file = artifact.folder / "completion.parquet"
    if damage == "shorter":
        pq.write_table(pq.read_table(file).slice(0, 3), file)
    elif damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-20] if damage == "truncated" else b"PAR1garbagePAR1")
    with pytest.raises(CaifError, match=r"completion\.parquet.*made anew"):
        artifact.rows(Completion)


COMPARED = {"prompt": PROMPT, "a": "x", "b": "y"}
EVERY_KIND: list[Row] = [
    PROMPT.but(tags=("a", "b"), source="s", split="heldout"),
    ROWS[0],
    Revision(prompt=PROMPT, first="x", turns=(Turn(principle="p", critique="c", revision="r", rejected="empty"),), final=None),
    Judgement(comparison=COMPARED, principle="p", objective="o", verdict="a", judge="j", p_a=0.1 + 0.2 + 0.3, logit_ab=-1e-300, mass=1.0, flipped=True),
    Judgement(comparison=COMPARED, principle="p", objective="o", verdict="refused", judge="j", reason="no"),
    Preference(prompt=PROMPT, chosen="x", rejected="y", probability=1 / 3, weight=1e300, objective="o"),
    Rating(prompt=PROMPT, completion="x", up=False, objective="o", rater="r"),
    Rejected(where="file:3", reason="broken"),
]  # fmt: skip


@pytest.mark.parametrize("row", EVERY_KIND, ids=lambda row: type(row).__name__)
def test_every_kind_of_row_comes_back_exactly(tmp_path: Path, row: Row) -> None:
    """Floats to the last bit, None as None, nested rows with their ids; and a table without rows has its columns."""
    write_rows(tmp_path / "x.parquet", [row, row], type(row))
    assert read_rows(tmp_path / "x.parquet", type(row)) == [row, row]
    write_rows(tmp_path / "none.parquet", [], type(row))
    assert read_rows(tmp_path / "none.parquet", type(row)) == []
    assert pq.read_schema(tmp_path / "none.parquet").names == list(type(row).model_fields)


WRITER = """
import sys
from pathlib import Path
from caif.data import Prompt, Preference
from caif.store import write_rows
tags = set("abcdefgh")
rows = [Preference(prompt=Prompt.of(f"q{n}", tags=sorted(tags)), chosen=f"x{n}", rejected="y", probability=0.7, objective="o") for n in range(300)]
write_rows(Path(sys.argv[1]), rows, Preference)
"""


def test_the_same_rows_are_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    """P6: two processes with different hash seeds write byte-identical Parquet."""
    digests = []
    for seed in ("1", "2"):
        file = tmp_path / f"{seed}.parquet"
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(
            [sys.executable, "-c", WRITER, str(file)], check=True, env=environment, cwd=Path(__file__).parents[2]
        )
        digests.append(hashlib.sha256(file.read_bytes()).hexdigest())
    assert digests[0] == digests[1]


def key(
    home: Path,
    cfg: Any,
    stage: str = "generate",
    version: int = 1,
    inputs: tuple[Any, ...] = (),
    seed: int = 0,
    **sections: Any,
) -> str:
    return key_of(stage, version, run_with(home, **sections).identity(cfg), inputs, seed)


def test_a_key_changes_with_all_that_could_change_the_result(tmp_path: Path) -> None:
    """Stage, version, config, model, inputs and seed each make another artifact."""
    first, second = (Artifact(tmp_path, {"key": k}) for k in ("k1", "k2"))
    cfg = Generate(model=FAKE)
    keys = [
        key(tmp_path, cfg), key(tmp_path, cfg, stage="sample"), key(tmp_path, cfg, version=2), key(tmp_path, cfg, seed=1),
        key(tmp_path, cfg, inputs=(first,)), key(tmp_path, cfg, inputs=(second,)), key(tmp_path, cfg, inputs=(first, second)),
        key(tmp_path, cfg, inputs=(second, first)), key(tmp_path, cfg, inputs=(first, None)),
        key(tmp_path, Generate(model=FAKE, temperature=0.5)), key(tmp_path, Generate(model=ModelSpec(use="fake:other"))),
        key(tmp_path, Generate(model=ModelSpec(use="fake:it", base_url="http://elsewhere"))),
        key(tmp_path, Combine()), key(tmp_path, Combine(weights={"a": 2.0})),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)


def test_a_key_does_not_change_with_how_a_stage_is_run(tmp_path: Path) -> None:
    """[exec], the run's name and the name of the key's variable change no result."""
    slow = Exec(concurrency=1, timeout=1, retries=0, patience=1, max_failures=1, backoff=9)
    cfg = Generate(model=FAKE)
    keyed = Generate(model=ModelSpec(use="fake:it", api_key_env="MY_KEY"))
    assert (
        key(tmp_path, cfg) == key(tmp_path, cfg, exec=slow) == key(tmp_path, cfg, name="other") == key(tmp_path, keyed)
    )


def test_a_file_counts_by_its_content(tmp_path: Path) -> None:
    """A moved file is the same input; an edited one is another, although its path is the same."""
    for name in ("a", "b"):
        (tmp_path / name).write_text("same")
    assert key(tmp_path, Law(path=tmp_path / "a")) == key(tmp_path, Law(path=tmp_path / "b"))
    before = key(tmp_path, Law(path=tmp_path / "a"))
    (tmp_path / "a").write_text("edited")
    assert key(tmp_path, Law(path=tmp_path / "a")) != before


def test_a_file_named_in_a_sources_options_counts_by_its_content(tmp_path: Path) -> None:
    """New thumbs in the same export make the stage anew."""
    sources = [Source(use="thumbs", options={"path": str(tmp_path / name)}) for name in ("a.jsonl", "b.jsonl")]
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("{}")
    before = key(tmp_path, sources[0])
    assert key(tmp_path, sources[1]) == before
    (tmp_path / "a.jsonl").write_text("{} ")
    assert key(tmp_path, sources[0]) != before


def test_what_is_made_is_found_and_not_made_again(tmp_path: Path) -> None:
    """A second run builds nothing; one with another seed builds anew beside it."""
    for seed, wanted in ((0, ["generate"]), (0, []), (1, ["generate"])):
        run = run_with(tmp_path, seed=seed)
        run.build(stage("generate", ROWS), cfg=Generate(model=FAKE))
        assert run.made == wanted
    manifests = [json.loads(file.read_text()) for file in tmp_path.glob("store/*/artifact.json")]
    assert sorted(facts["seed"] for facts in manifests) == [0, 1]


def test_a_stage_left_out_is_none(tmp_path: Path) -> None:
    """The recipe needs no ifs."""
    assert run_with(tmp_path).build(stage("generate", ROWS), cfg=None) is None
    assert config().generate is None


def test_what_never_happened_is_not_counted(tmp_path: Path) -> None:
    """A count of none says nothing."""
    draft = Store(tmp_path).draft("sft", KEY)
    draft.count("cut", 0)
    draft.count("lost")
    draft.count("lost", 2)
    assert draft.counts == {"lost": 3}


def test_checkpoints_outlive_a_draft_and_go_with_the_artifact(tmp_path: Path) -> None:
    """They lie in the home folder, where one who helps to train finds them too."""
    store = Store(tmp_path / "store")
    draft = store.draft("sft", KEY)
    draft.checkpoints.mkdir(parents=True)
    assert draft.checkpoints == tmp_path / "checkpoints" / f"sft-{KEY[:16]}"
    assert store.draft("sft", KEY).checkpoints.is_dir()
    assert store.scratch("sft", KEY, tmp_path / "other").checkpoints == draft.checkpoints
    store.finish(draft, {"key": KEY})
    assert not draft.checkpoints.exists()
