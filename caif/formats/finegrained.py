"""Fine-grained RLHF feedback: a question, four answers, and a person's preference for each of the six pairs of them.

`preference` holds them in the order 12, 13, 14, 23, 24, 34 (Wu et al. 2023, 2306.01693): 1 is the first of the two, 2 the
second, 0 a tie, which becomes a pair of probability one half. The spans of errors are not read.
"""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from caif.data import Preference, Rejected
from caif.formats.fields import Unusable, conversation, each, kind, origin, prompt_of, required, text
from caif.formats.json_array import records
from caif.formats.jsonl import Line
from caif.hookspecs import Reader

ANSWERS = tuple(f"prediction {n}" for n in range(1, 5))
PAIRS = tuple(combinations(ANSWERS, 2))


def fine_grained(objective: str = "helpfulness", passages: bool = True) -> Reader:
    """Read every pair of answers. With `passages` the question is followed by the texts that the answers are about."""

    def make(line: Line) -> Iterator[Preference | Rejected]:
        said = required(line.row, "preference")
        if not isinstance(said, list) or len(said) != len(PAIRS):
            raise Unusable("preference is not six numbers", f"it is {kind(said)}")
        answers = {name: text(line.row, name) for name in ANSWERS}
        asked = text(line.row, "question") + (_passages(line.row) if passages else "")
        prompt = prompt_of(conversation(asked, "question"))
        for (one, other), better in zip(PAIRS, said, strict=True):
            if isinstance(better, bool) or better not in (0, 1, 2):
                yield Rejected(where=line.where, reason="preference is not 0, 1 or 2", detail=f"{one}, {other}")
            elif answers[one] == answers[other]:
                yield Rejected(where=line.where, reason="identical answers", detail=f"{one}, {other}")
            else:
                chosen, rejected = (other, one) if better == 2 else (one, other)
                yield Preference(
                    prompt=prompt, chosen=answers[chosen], rejected=answers[rejected],
                    probability=1.0 if better else 0.5, objective=objective,
                    origin=origin(line),
                )  # fmt: skip

    def read(path: Path) -> Iterator[Preference | Rejected]:
        return each(records(path), make)

    return read


def _passages(row: dict[str, Any]) -> str:
    """Return the passages below a heading: each is a list of its title and its sentences."""
    found = required(row, "passages")
    if not isinstance(found, list) or not all(
        isinstance(p, list) and all(isinstance(s, str) for s in p) for p in found
    ):
        raise Unusable("passages are not lists of sentences")
    texts = [f"{passage[0]}: {' '.join(passage[1:])}" for passage in found if passage]
    return "\n\nAnswer from these passages:\n\n" + "\n\n".join(texts) if texts else ""
