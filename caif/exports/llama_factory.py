"""LLaMA-Factory: conversations in its ShareGPT form, and the `dataset_info.json` that tells it so.

It skips, with a line in a log, what does not alternate between user and assistant; here that is left out and counted.
"""

import json
from collections.abc import Iterable
from typing import Any

from caif.exports.formats import Format
from caif.exports.rows import Pair, Talk, Thumb, Unfit

ROLES = {"user": "human", "assistant": "gpt"}
TAGS = {
    "role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt", "system_tag": "system",
}  # fmt: skip
COLUMNS = {
    "preference": {"messages": "conversations", "system": "system", "chosen": "chosen", "rejected": "rejected"},
    "unpaired": {"messages": "conversations", "system": "system", "kto_tag": "kto_tag"},
}


def pair(row: Pair) -> dict[str, Any]:
    """Return the turns, the system message apart, and the two answers as turns."""
    chosen, rejected = _turn("assistant", row.chosen), _turn("assistant", row.rejected)
    return {**_talk(row.prompt), "chosen": chosen, "rejected": rejected, **row.about}


def thumb(row: Thumb) -> dict[str, Any]:
    """Return the turns with the rated answer as the last one, and `kto_tag`."""
    talk = _talk(row.prompt)
    turns = [*talk["conversations"], _turn("assistant", row.completion)]
    return {**talk, "conversations": turns, "kto_tag": row.up, **row.about}


def info(files: Iterable[str]) -> dict[str, str]:
    """Return `dataset_info.json`: a data set a file, `caif_preference` and the like, held-out ones by that name."""
    table: dict[str, Any] = {}
    for file in files:
        kind, split = file.removesuffix(".jsonl").split("/")
        more = {"ranking": True} if kind == "preference" else {}
        name = f"caif_{kind}" if split == "train" else f"caif_{kind}_{split}"
        table[name] = {"file_name": file, "formatting": "sharegpt", **more, "columns": COLUMNS[kind], "tags": TAGS}
    return {"dataset_info.json": json.dumps(table, indent=2) + "\n"}


def _talk(messages: Talk) -> dict[str, Any]:
    first = next(n for n, message in enumerate(messages) if message["role"] != "system")
    system, turns = messages[:first], messages[first:]
    if [turn["role"] for turn in turns] != ["user", "assistant"] * (len(turns) // 2) + ["user"]:
        raise Unfit("turns do not alternate between user and assistant")
    return {
        "conversations": [_turn(turn["role"], turn["content"]) for turn in turns],
        "system": "\n\n".join(message["content"] for message in system),
    }


def _turn(role: str, text: str) -> dict[str, str]:
    return {"from": ROLES[role], "value": text}


LLAMA_FACTORY = Format(
    name="LLaMA-Factory",
    pair=pair,
    thumb=thumb,
    beside=info,
    load=(
        ("", "dataset_dir: FOLDER"),
        ("preference/train", "dataset: caif_preference                # stage: dpo or rm"),
        ("preference/heldout", "eval_dataset: caif_preference_heldout"),
        ("unpaired/train", "dataset: caif_unpaired                  # stage: kto"),
        ("unpaired/heldout", "eval_dataset: caif_unpaired_heldout"),
    ),
    lost="LLaMA-Factory takes every pair as certain and of weight 1; `probability` and `weight` stand beside them and are not read.",
)
