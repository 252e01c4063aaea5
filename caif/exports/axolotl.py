"""axolotl's `chat_template.default`: the conversation and two answers as messages, and the YAML that names the fields."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from caif.exports.formats import Format, as_yaml
from caif.exports.rows import Pair, Unfit, answer

FIELDS = {
    "type": "chat_template.default",
    "field_messages": "messages",
    "field_chosen": "chosen",
    "field_rejected": "rejected",
    "message_property_mappings": {"role": "role", "content": "content"},
    "roles": {"user": ["user"], "assistant": ["assistant"], "system": ["system"]},
}


def pair(row: Pair) -> dict[str, Any]:
    """Return the messages before the answers, and the answers. In an empty one axolotl would find its own dummy text."""
    if not (row.chosen.strip() and row.rejected.strip()):
        raise Unfit("an answer is empty")
    return {"messages": row.prompt, "chosen": answer(row.chosen), "rejected": answer(row.rejected), **row.about}


def settings(files: Iterable[str]) -> dict[str, str]:
    """Return the part of an axolotl configuration that names the data."""
    names = {"train": "datasets", "heldout": "test_datasets"}
    found: dict[str, Any] = {}
    for file in files:
        split = file.removesuffix(".jsonl").split("/")[1]
        # Each its own copy: YAML would write the second one as a reference to the first.
        found[names[split]] = [{"path": file, "ds_type": "json", "split": "train", **deepcopy(FIELDS)}]
    table = {"rl": "dpo", **dict(sorted(found.items()))}
    return {"axolotl.yaml": as_yaml(table)}


AXOLOTL = Format(
    name="axolotl",
    pair=pair,
    beside=settings,
    load=(("", "Put the lines of `axolotl.yaml` into your configuration; its paths are from this folder."),),
    lost="axolotl takes every pair as certain and of weight 1; `probability` and `weight` stand beside them. "
    "It has no form for thumbs in a conversation of several turns, so thumbs are left out.",
)
