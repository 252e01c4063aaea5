"""OpenAI-style preference lines, as several fine-tuning services take them: two answers and nothing else."""

from typing import Any

from caif.exports.formats import Format
from caif.exports.rows import Pair, Unfit, answer


def pair(row: Pair) -> dict[str, Any]:
    """Return the documented keys alone: services refuse others."""
    if not (row.chosen.strip() and row.rejected.strip()):
        raise Unfit("an answer is empty")
    return {
        "input": {"messages": row.prompt, "tools": [], "parallel_tool_calls": True},
        "preferred_output": [answer(row.chosen)],
        "non_preferred_output": [answer(row.rejected)],
    }


OPENAI = Format(
    name="OpenAI-style preference lines",
    pair=pair,
    load=(
        ("preference/train", "Upload `preference/train.jsonl` as the training file."),
        ("preference/heldout", "Upload `preference/heldout.jsonl` as the validation file."),
    ),
    lost="The lines hold the texts alone: probability, weight, objective, principle and source are not in them. Thumbs have no place.",
)
