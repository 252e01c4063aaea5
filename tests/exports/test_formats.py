"""Each format as its tool takes it: by the tool's own loader where it is installed, else by its documented rules.

LLaMA-Factory, axolotl, verl and OpenRLHF are not installed here; what their loaders do with a row is done again, strictly,
as their documentation and data code describe it.
"""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from labelled import ALL, ASIDE, ASKED, DOWN, JUDGED, PERSONS, TALK, UP, made_in
from pydantic import BaseModel, ConfigDict, Field

from caif.errors import FAILED, CaifError
from caif.exports.known import FORMATS
from caif.exports.whole import export
from caif.store import Artifact


def exported(mixture: Artifact, to: str, tmp_path: Path, **options: Any) -> Any:
    """Export and return what came of it."""
    return export([mixture], to, tmp_path / "out", **options)


def lines(file: Path) -> list[Any]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def chatml(messages: list[dict[str, str]], *, waits: bool = False) -> str:
    """Return messages by a chat template that takes what all take: each role by its name."""
    assert all(set(message) == {"role", "content"} for message in messages)
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    return text + ("<|im_start|>assistant\n" if waits else "")


def test_trl_loads_pairs_and_thumbs_and_prepares_them(mixture: Artifact, tmp_path: Path) -> None:
    """By the card's own head: `load_dataset(folder, name)`; then as DPOTrainer and KTOTrainer begin."""
    from datasets import load_dataset
    from trl.data_utils import extract_prompt, is_conversational, unpair_preference_dataset

    exported(mixture, "trl", tmp_path)
    cache = str(tmp_path / "cache")
    pairs = load_dataset(str(tmp_path / "out"), "preference", cache_dir=cache)
    thumbs = load_dataset(str(tmp_path / "out"), "unpaired", cache_dir=cache)
    assert {name: len(rows) for name, rows in pairs.items()} == {"train": 2, "heldout": 1}
    for row in [*pairs["train"], *pairs["heldout"], *thumbs["train"]]:
        assert is_conversational(row)
    judged = pairs["train"][0]
    assert judged["prompt"] == TALK.chat
    assert extract_prompt({k: [*judged["prompt"], *judged[k]] for k in ("chosen", "rejected")})["prompt"] == TALK.chat
    told = {
        "probability": 0.8,
        "weight": 0.5,
        "principle": "true",
        "rater": "judge-1",
        "law": "abc",
        "order": "both",
        "price": 0.25,
    }
    assert told.items() <= judged.items()
    assert unpair_preference_dataset(pairs["train"])["label"][:] == [True, True, False, False]
    assert thumbs["train"]["label"][:] == [True, False]
    assert thumbs["train"][1]["correction"] == "Seven."


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Said(_Closed):
    role: Literal["system", "user", "assistant"]
    content: str


class _Answered(_Closed):
    role: Literal["assistant"]
    content: str = Field(min_length=1)


class _Input(_Closed):
    messages: list[_Said] = Field(min_length=1)
    tools: list[Any] = Field(max_length=0)
    parallel_tool_calls: bool


class _OpenAI(_Closed):
    """A line as the service documents it: one assistant message a side, and no other key."""

    input: _Input
    preferred_output: list[_Answered] = Field(min_length=1, max_length=1)
    non_preferred_output: list[_Answered] = Field(min_length=1, max_length=1)


def test_openai_lines_are_the_documented_ones_and_nothing_else(mixture: Artifact, tmp_path: Path) -> None:
    """Services refuse what they do not know."""
    done = exported(mixture, "openai", tmp_path)
    rows = [_OpenAI.model_validate(row) for row in lines(tmp_path / "out/preference/train.jsonl")]
    assert [message.model_dump() for message in rows[0].input.messages] == TALK.chat
    assert (rows[1].preferred_output[0].content, rows[1].non_preferred_output[0].content) == ("Seven minutes.", "Long.")
    assert done.tally.left_out["thumbs, which the format does not have"] == 2
    assert not (tmp_path / "out/unpaired").exists()


LF_KEYS = {"file_name", "formatting", "ranking", "columns", "tags"}
LF_COLUMNS = {"messages", "system", "chosen", "rejected", "kto_tag"}


def llama_factory(folder: Path, name: str) -> list[tuple[list[str], str, list[tuple[str, str]]]]:
    """Return prompt, system and answers of a data set as LLaMA-Factory converts it; what it would skip fails here."""
    from datasets import load_dataset

    about = json.loads((folder / "dataset_info.json").read_text())[name]
    assert about.keys() <= LF_KEYS
    assert about["formatting"] == "sharegpt"
    columns, tags = about["columns"], about["tags"]
    assert columns.keys() <= LF_COLUMNS
    data = load_dataset(
        "json", data_files=str(folder / about["file_name"]), split="train", cache_dir=str(folder.parent / "cache")
    )
    role, text, sides = tags["role_tag"], tags["content_tag"], (tags["user_tag"], tags["assistant_tag"])
    found = []
    for row in data:
        turns = row[columns["messages"]]
        assert all(turn[role] == sides[n % 2] for n, turn in enumerate(turns))
        assert len(turns) % 2 == bool(about.get("ranking"))
        if about.get("ranking"):
            answers = [row[columns[side]] for side in ("chosen", "rejected")]
            assert all(isinstance(one, dict) and one[role] == sides[1] for one in answers)
            said = [("", one[text]) for one in answers]
        else:
            assert isinstance(row[columns["kto_tag"]], bool)
            said = [(str(row[columns["kto_tag"]]), turns[-1][text])]
            turns = turns[:-1]
        found.append(([turn[text] for turn in turns], row[columns["system"]], said))
    return found


def test_llama_factory_reads_every_row_by_its_dataset_info(mixture: Artifact, tmp_path: Path) -> None:
    """The system message in its column, turns alternating, pairs ranked, thumbs with a tag that is true or false."""
    exported(mixture, "llama-factory", tmp_path)
    turns = [message.content for message in TALK.messages]
    assert llama_factory(tmp_path / "out", "caif_preference") == [
        (turns[1:], "Be brief.", [("", "No, a shrub."), ("", "Yes.")]),
        ([ASKED.text], "", [("", "Seven minutes."), ("", "Long.")]),
    ]
    assert llama_factory(tmp_path / "out", "caif_unpaired") == [
        (turns[1:], "Be brief.", [("True", "No.")]), ([ASKED.text], "", [("False", "Long.")]),
    ]  # fmt: skip
    assert len(llama_factory(tmp_path / "out", "caif_preference_heldout")) == 1


def test_what_llama_factory_would_skip_is_left_out_and_counted(tmp_path: Path) -> None:
    """Two user messages after one another, and a system message between turns."""
    for n, roles in enumerate((["user", "user"], ["user", "system", "user"])):
        prompt = TALK.but(messages=[{"role": role, "content": "x"} for role in roles])
        made = made_in(tmp_path / f"store{n}", [PERSONS, PERSONS.but(prompt=prompt)])
        tally = export([made], "llama-factory", tmp_path / f"out{n}").tally
        assert tally.left_out == {"turns do not alternate between user and assistant": 1}


def test_axolotl_finds_every_field_by_its_yaml(mixture: Artifact, tmp_path: Path) -> None:
    """Roles through its map, each answer found again in what its template makes of it behind a dummy."""
    from datasets import load_dataset

    exported(mixture, "axolotl", tmp_path)
    table = yaml.safe_load((tmp_path / "out/axolotl.yaml").read_text())
    assert list(table) == ["rl", "datasets", "test_datasets"]
    assert "&" not in (tmp_path / "out/axolotl.yaml").read_text()
    (about,) = table["datasets"]
    assert about["type"] == "chat_template.default"
    file = str(tmp_path / "out" / about["path"])
    rows = load_dataset(about["ds_type"], data_files=file, split=about["split"], cache_dir=str(tmp_path / "cache"))
    names, roles = about["message_property_mappings"], {one: to for to, some in about["roles"].items() for one in some}
    for row, label in zip(rows, (JUDGED, PERSONS), strict=True):
        talk = [{"role": roles[m[names["role"]]], "content": m[names["content"]]} for m in row[about["field_messages"]]]
        assert talk == label.prompt.chat
        for key, text in (("field_chosen", label.chosen), ("field_rejected", label.rejected)):
            said = row[about[key]]
            assert roles[said[names["role"]]] == "assistant"
            whole = chatml([{"role": "user", "content": "[[dummy_message]]"}, said])
            assert whole[whole.find(said["content"]) :].startswith(text)


@pytest.mark.parametrize("to", ["axolotl", "openai"])
def test_an_empty_answer_is_left_out_where_the_tool_would_misread_it(tmp_path: Path, to: str) -> None:
    """axolotl would find the dummy of its template in its place."""
    made = made_in(tmp_path / "store", [PERSONS, PERSONS.but(rejected=" ")])
    assert export([made], to, tmp_path / "out").tally.left_out == {"an answer is empty": 1}


def test_verl_has_its_five_columns(mixture: Artifact, tmp_path: Path) -> None:
    """As its documentation lists them, the prompt as messages for the chat template, `index` counted by split."""
    from datasets import load_dataset

    exported(mixture, "verl", tmp_path)
    files = {split: str(tmp_path / f"out/preference/{split}.parquet") for split in ("train", "heldout")}
    data = load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert data["train"].column_names == ["data_source", "prompt", "ability", "reward_model", "extra_info"]
    row = data["train"][0]
    assert chatml(row["prompt"], waits=True) == chatml(TALK.chat, waits=True)
    assert row["reward_model"] == {"style": "model", "ground_truth": "No, a shrub."}
    assert [one["index"] for one in data["train"]["extra_info"]] == [0, 1]
    assert data["heldout"][0]["extra_info"]["index"] == 0
    told = {"split": "train", "rejected": "Yes.", "probability": 0.8, "id": JUDGED.id}
    assert told.items() <= row["extra_info"].items()


def test_openrlhf_cuts_the_answers_where_the_prompt_ends(mixture: Artifact, tmp_path: Path) -> None:
    """Prompt and answer templated together begin with the prompt alone; a thumb is templated whole."""
    exported(mixture, "openrlhf", tmp_path)
    for row, label in zip(lines(tmp_path / "out/preference/train.jsonl"), (JUDGED, PERSONS), strict=True):
        prompt = chatml(row["prompt"], waits=True)
        for key in ("chosen", "rejected"):
            whole = chatml(row["prompt"] + row[key])
            assert whole.startswith(prompt)
            assert whole[len(prompt) :] == f"{getattr(label, key)}<|im_end|>\n"
        assert "margin" not in row
    thumbs = lines(tmp_path / "out/unpaired/train.jsonl")
    assert [row["messages"][-1] for row in thumbs] == [
        {"role": "assistant", "content": t.completion} for t in (UP, DOWN)
    ]
    assert [row["label"] for row in thumbs] == [True, False]


@pytest.mark.parametrize("to", sorted(FORMATS))
def test_every_row_is_written_or_counted(mixture: Artifact, tmp_path: Path, to: str) -> None:
    """Ties and rows of no weight are kept only where the tool reads probabilities and weights."""
    tally = exported(mixture, to, tmp_path).tally
    assert sum(tally.files.values()) + sum(tally.left_out.values()) == len(ALL)
    soft = FORMATS[to].soft
    for why in ("ties: the tool would take one side", "weight 0: the tool would count it in full"):
        assert tally.left_out[why] == (not soft)
    assert tally.coarser["soft labels made certain"] == (not soft)
    assert sum(sum(counts.values()) for counts in tally.sources.values()) == sum(tally.files.values())


def test_a_label_below_one_half_is_turned_round(tmp_path: Path) -> None:
    """`chosen` is what is likelier, whatever a source wrote."""
    made = made_in(tmp_path / "store", [PERSONS.but(probability=0.25)])
    export([made], "openai", tmp_path / "out")
    (row,) = lines(tmp_path / "out/preference/train.jsonl")
    assert row["preferred_output"][0]["content"] == "Long."


def test_nothing_is_left_behind_where_nothing_can_be_exported(tmp_path: Path) -> None:
    """It is said why, and the folder is not there."""
    made = made_in(tmp_path / "store", [UP])
    with pytest.raises(CaifError, match="nothing to export: 1 thumbs, which") as caught:
        export([made], "verl", tmp_path / "out")
    assert caught.value.code == FAILED
    assert not list(tmp_path.glob("out*"))


def test_a_row_that_was_tampered_with_is_refused(mixture: Artifact, tmp_path: Path) -> None:
    """What leaves is what the run has made."""
    import pyarrow.parquet as pq

    file = mixture.folder / "preference.parquet"
    table = pq.read_table(file)
    column = table.column("chosen").to_pylist()
    pq.write_table(table.set_column(table.schema.get_field_index("chosen"), "chosen", [["other", *column[1:]]]), file)
    with pytest.raises(CaifError, match="does not match its content"):
        exported(mixture, "trl", tmp_path)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("to", "options", "message"),
    [
        ("trll", {}, "no format 'trll'.*did you mean 'trl'"),
        ("trl", {"stage": "combin"}, "no stage 'combin'.*did you mean 'combine'"),
        ("trl", {"licences": {"peple": "mit"}}, "no source 'peple'.*did you mean 'people'"),
        ("trl", {"licences": {"people": "mit\nx: y"}}, "not the name of a licence"),
    ],
)
def test_what_is_named_wrongly_is_said_with_the_nearest(
    mixture: Artifact, tmp_path: Path, to: str, options: dict[str, Any], message: str
) -> None:
    """One line, and no half of an export."""
    with pytest.raises(CaifError, match=message):
        exported(mixture, to, tmp_path, **options)
    assert not list(tmp_path.glob("out*"))


def test_a_folder_that_holds_something_is_never_written_to(mixture: Artifact, tmp_path: Path) -> None:
    """An empty one is."""
    (tmp_path / "out").mkdir()
    exported(mixture, "openai", tmp_path)
    with pytest.raises(CaifError, match="is there already"):
        exported(mixture, "openai", tmp_path)


@pytest.mark.parametrize("to", sorted(FORMATS))
def test_who_gave_a_label_stays_here_unless_asked_for(mixture: Artifact, tmp_path: Path, to: str) -> None:
    """Neither rows nor card name a person, a conversation, a product's record or a second; a judge is named. They are counted."""
    done = exported(mixture, to, tmp_path)
    told = b"".join(_plain(file) for file in sorted((tmp_path / "out").rglob("*.*")))
    assert not [name for name in (b"ann", b"bob", b"record 7", b"secret record", b"chat-1") if b'"%s"' % name in told]
    assert b"1700000000" not in told
    assert (b"1699920000" in told) == (b'"at"' in told), "the day stays"
    assert ASIDE.rater == "bob"
    assert len(done.tally.raters) == 2
    assert done.table["raters"] == 2


def _plain(file: Path) -> bytes:
    """Return what a file holds, Parquet as JSON."""
    if file.suffix != ".parquet":
        return file.read_bytes()
    import pyarrow.parquet as pq

    return json.dumps(pq.read_table(file).to_pylist()).encode()


@pytest.mark.slow
def test_trls_own_trainers_take_what_is_exported(mixture: Artifact, tmp_path: Path) -> None:
    """DPOTrainer and KTOTrainer prepare, tokenise and train on it, a step each, extra columns and all."""
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

    from caif.testing import tiny_model

    exported(mixture, "trl", tmp_path)
    folder = str(tiny_model(tmp_path / "tiny"))
    common = {"output_dir": str(tmp_path / "t"), "max_steps": 1, "use_cpu": True, "report_to": "none", "bf16": False}
    for kind, trainer, settings in (("preference", DPOTrainer, DPOConfig), ("unpaired", KTOTrainer, KTOConfig)):
        data = load_dataset(str(tmp_path / "out"), kind, cache_dir=str(tmp_path / "cache"))["train"]
        done = trainer(
            AutoModelForCausalLM.from_pretrained(folder),
            args=settings(per_device_train_batch_size=2, **common),
            train_dataset=data,
            processing_class=AutoTokenizer.from_pretrained(folder),
        ).train()
        assert done.global_step == 1
