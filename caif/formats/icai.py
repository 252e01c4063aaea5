"""Pairs of Inverse Constitutional AI (Findeis et al. 2024, 2406.06560): `text_a`, `text_b`, `preferred_text`, mostly in CSV.

`preferred_text` is `text_a`, `text_b`, `tie` or `tie (bothbad)`. What was asked stands in a column `input` or `prompt`;
without one, both texts begin with it, as "Instruction: …", and go on with "Output: …".
"""

from collections.abc import Iterator
from pathlib import Path

from caif.data import Preference, Rejected
from caif.formats.fields import Unusable, conversation, each, origin, prompt_of, text
from caif.formats.jsonl import Line
from caif.formats.rows import any_rows
from caif.hookspecs import Reader

TEXTS = ("text_a", "text_b")
TIES = ("tie", "tie (bothbad)")
COLUMNS = (*TEXTS, "preferred_text")
ASKED, ANSWERED = "Instruction:", "\n\nOutput:"


def icai(objective: str = "helpfulness") -> Reader:
    """Read the pairs; a tie is a pair of probability one half, whether both answers are good or bad."""

    def make(line: Line) -> Iterator[Preference]:
        a, b = text(line.row, "text_a"), text(line.row, "text_b")
        asked = text(line.row, "input", "") or text(line.row, "prompt", "")
        if not asked:
            (asked, a), (other, b) = _split(a), _split(b)
            if asked != other:
                raise Unusable("prompts differ", "the texts begin with different instructions")
        preferred = text(line.row, "preferred_text")
        if preferred not in (*TEXTS, *TIES):
            raise Unusable("preferred_text is neither a text nor a tie", f"{preferred!r:.40}")
        if a == b:
            raise Unusable("identical answers")
        chosen, rejected = (b, a) if preferred == "text_b" else (a, b)
        yield Preference(
            prompt=prompt_of(conversation(asked)), chosen=chosen, rejected=rejected,
            probability=0.5 if preferred in TIES else 1.0, objective=objective, origin=origin(line),
        )  # fmt: skip

    def read(path: Path) -> Iterator[Preference | Rejected]:
        return each(any_rows(path, COLUMNS), make)

    return read


def _split(said: str) -> tuple[str, str]:
    """Return what was asked and what was answered."""
    asked, found, answer = said.partition(ANSWERED)
    if not (found and asked.startswith(ASKED)):
        raise Unusable("no instruction", "name a column input, or begin with Instruction: and Output:")
    if not answer.strip():
        raise Unusable("empty final answer")
    return asked.removeprefix(ASKED).strip(), answer.strip()
