"""verl's Parquet columns: a conversation that waits for an answer, the preferred answer as its ground truth, the rest apart."""

from typing import Any

import pyarrow as pa

from caif.data import Preference
from caif.exports.formats import Format
from caif.exports.rows import Pair, about_fields
from caif.exports.trl import TALK


def pair(row: Pair) -> dict[str, Any]:
    """Return the five documented columns. What a reward function may want to know is in `extra_info`."""
    return {
        "data_source": "caif",
        "prompt": row.prompt,
        "ability": "alignment",
        "reward_model": {"style": "model", "ground_truth": row.chosen},
        "extra_info": {
            "split": row.split, "index": row.place, "chosen": row.chosen, "rejected": row.rejected, **row.about,
        },
    }  # fmt: skip


EXTRA = pa.struct(
    [
        ("split", pa.string()),
        ("index", pa.int64()),
        ("chosen", pa.string()),
        ("rejected", pa.string()),
        *about_fields(Preference),
    ]
)

VERL = Format(
    name="verl",
    pair=pair,
    schemas={
        "preference": pa.schema(
            [
                ("data_source", pa.string()),
                ("prompt", TALK),
                ("ability", pa.string()),
                ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
                ("extra_info", EXTRA),
            ]
        )
    },
    load=(
        ("preference/train", "data.train_files=FOLDER/preference/train.parquet"),
        ("preference/heldout", "data.val_files=FOLDER/preference/heldout.parquet"),
    ),
    lost="verl trains on prompts: one that has several pairs stands there several times, and what is made of the answers "
    "is up to your reward function. Thumbs have no place.",
)
