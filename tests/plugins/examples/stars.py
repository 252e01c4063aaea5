"""A format: one JSON object a line with `question`, `answer` and `stars`. Three stars are neither up nor down."""

from collections.abc import Iterator

import caif
from caif.formats.fields import Unusable, each, number, text
from caif.formats.jsonl import Line, lines
from caif.hookspecs import Reader

UP = {1: False, 2: False, 4: True, 5: True}


def stars(objective: str = "helpfulness") -> Reader:
    """Read four and five stars as a thumb up, one and two as a thumb down."""

    def rating(line: Line) -> Iterator[caif.Rating]:
        given = number(line.row, "stars", 0, high=5)
        if given not in UP:
            raise Unusable("neither up nor down", f"{given:g} stars")
        prompt = caif.Prompt.of(text(line.row, "question"))
        yield caif.Rating(prompt=prompt, completion=text(line.row, "answer"), up=UP[given], objective=objective)

    return lambda path: each(lines(path), rating)


@caif.hookimpl
def caif_feedback_formats():
    return {"stars": stars}
