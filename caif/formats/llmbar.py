"""LLMBar files: rows, mostly in a JSON array, of `input`, `output_1`, `output_2` and `label`, which of the two follows the instruction.

The labels are objective and were checked by people (Zeng et al. 2023, 2310.07641), so a pair is certain.
"""

from collections.abc import Iterator
from pathlib import Path

from caif.data import Preference, Rejected
from caif.formats.fields import Unusable, conversation, each, origin, prompt_of, required, text
from caif.formats.jsonl import Line
from caif.formats.rows import any_rows
from caif.hookspecs import Reader


def llmbar(objective: str = "helpfulness") -> Reader:
    """Read LLMBar's pairs as certain preferences."""

    def make(line: Line) -> Iterator[Preference]:
        outputs = text(line.row, "output_1"), text(line.row, "output_2")
        label = required(line.row, "label")
        if isinstance(label, bool) or label not in (1, 2, "1", "2"):
            raise Unusable("label is neither 1 nor 2")
        if outputs[0] == outputs[1]:
            raise Unusable("identical answers")
        better = int(label) - 1
        prompt = prompt_of(conversation(text(line.row, "input"), "input"))
        yield Preference(
            prompt=prompt, chosen=outputs[better], rejected=outputs[1 - better], probability=1.0, objective=objective,
            origin=origin(line),
        )  # fmt: skip

    def read(path: Path) -> Iterator[Preference | Rejected]:
        return each(any_rows(path), make)

    return read
