"""TRL's conversational preference and unpaired data sets, as Parquet: `DPOTrainer`, `RewardTrainer` and `KTOTrainer` take them."""

from typing import Any

import pyarrow as pa

from caif.data import Preference, Rating
from caif.exports.formats import Format
from caif.exports.rows import Pair, Thumb, about_fields, answer

TALK = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def pair(row: Pair) -> dict[str, Any]:
    """Return `prompt`, `chosen` and `rejected` as messages, and all that is told of the label."""
    return {"prompt": row.prompt, "chosen": [answer(row.chosen)], "rejected": [answer(row.rejected)], **row.about}


def thumb(row: Thumb) -> dict[str, Any]:
    """Return `prompt` and `completion` as messages and `label` as true or false."""
    return {"prompt": row.prompt, "completion": [answer(row.completion)], "label": row.up, **row.about}


TRL = Format(
    name="TRL",
    pair=pair,
    thumb=thumb,
    schemas={
        "preference": pa.schema(
            [*((name, TALK) for name in ("prompt", "chosen", "rejected")), *about_fields(Preference)]
        ),
        "unpaired": pa.schema([("prompt", TALK), ("completion", TALK), ("label", pa.bool_()), *about_fields(Rating)]),
    },
    load=(
        ("preference", 'pairs = datasets.load_dataset("FOLDER", "preference")'),
        ("preference/train", 'trl.DPOTrainer(model, train_dataset=pairs["train"])'),
        ("unpaired", 'thumbs = datasets.load_dataset("FOLDER", "unpaired")'),
        ("unpaired/train", 'trl.KTOTrainer(model, train_dataset=thumbs["train"])'),
    ),
    lost="TRL's trainers take every pair as certain and of weight 1; `probability` and `weight` stand beside them as columns.",
)
