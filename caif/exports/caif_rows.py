"""caif's own feedback files, which keep soft labels and weights: another run reads them as they are."""

from typing import Any

from caif.exports.formats import Format
from caif.exports.rows import Pair, Thumb

EMPTY = ("", None)


def pair(row: Pair) -> dict[str, Any]:
    """Return a pair as `caif.formats.caif_rows` reads it."""
    told = _told(row.about, ("probability", "principle"))
    return {"prompt": row.prompt, "chosen": row.chosen, "rejected": row.rejected, **told}


def thumb(row: Thumb) -> dict[str, Any]:
    """Return a thumb as `caif.formats.caif_rows` reads it."""
    return {
        "prompt": row.prompt, "completion": row.completion, "up": row.up, **_told(row.about, ("reason", "correction")),
    }  # fmt: skip


def _told(about: dict[str, Any], more: tuple[str, ...]) -> dict[str, Any]:
    names = ("objective", "weight", "rater", "at", "borrowed", "conversation", "raw", *more)
    return {name: about[name] for name in names if about[name] not in EMPTY}


CAIF = Format(
    name="caif",
    pair=pair,
    thumb=thumb,
    soft=True,
    load=(
        ("preference/train", '[[feedback]]\nuse = "pairs"\npath = "preference/train.jsonl"'),
        ("unpaired/train", '[[feedback]]\nuse = "thumbs"\npath = "unpaired/train.jsonl"'),
    ),
    lost="All that training reads is kept. Lost are the name of the source, which a run gives anew, what a label cost, in which "
    "order and under which wording it was judged, and, without `--raters`, who gave a label and at what hour.",
)
