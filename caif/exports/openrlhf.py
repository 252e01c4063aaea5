"""OpenRLHF: prompt and answers as messages in JSON lines; a thumb as the whole conversation and a label."""

from typing import Any

from caif.exports.formats import Format
from caif.exports.rows import Pair, Thumb, answer


def pair(row: Pair) -> dict[str, Any]:
    """Return the prompt's messages and, apart, the one message of each answer: OpenRLHF puts them behind one another."""
    return {"prompt": row.prompt, "chosen": [answer(row.chosen)], "rejected": [answer(row.rejected)], **row.about}


def thumb(row: Thumb) -> dict[str, Any]:
    """Return the conversation with the rated answer as its last message, and `label`."""
    return {"messages": [*row.prompt, answer(row.completion)], "label": row.up, **row.about}


OPENRLHF = Format(
    name="OpenRLHF",
    pair=pair,
    thumb=thumb,
    load=(
        (
            "preference/train",
            "--dataset FOLDER/preference/train.jsonl --prompt_key prompt --chosen_key chosen --rejected_key rejected --apply_chat_template",
        ),
        (
            "unpaired/train",
            "--dataset FOLDER/unpaired/train.jsonl --output_key messages --label_key label --apply_chat_template   # thumbs",
        ),
    ),
    lost="OpenRLHF takes every pair as certain and of weight 1; `probability` and `weight` stand beside them and are not read.",
)
