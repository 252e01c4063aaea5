"""Gradio's ChatInterface with `flagging_mode="manual"`: the file `.gradio/flagged/log.csv`, one row a flag.

Its header names five columns but a row holds four cells (messages as JSON, index of the message, the option chosen,
time), so rows are read by position. `gr.Interface` writes `dataset1.csv`, `dataset2.csv`, …, whose columns are yours:
give that folder to the format `table`.
"""

from collections.abc import Iterator
from pathlib import Path

from caif.data import Message, Rating, Rejected
from caif.errors import CaifError
from caif.formats.fields import Unusable, decoded, each, kind, origin, prompt_of
from caif.formats.jsonl import Line
from caif.formats.polarity import Marks, polarity
from caif.formats.tables import csv_cells
from caif.formats.talk import messages
from caif.hookspecs import Reader

HEADER = ["conversation", "index", "value", "flag", "timestamp"]
CELLS = ("conversation", "index", "value", "at")


def gradio(up: Marks = ("Like",), down: Marks = ("Dislike",), objective: str = "helpfulness") -> Reader:
    """Read the log. `up` and `down` are the flagging options of the app, if it names its own."""
    marks = polarity(up, down)

    def make(line: Line) -> Iterator[Rating]:
        said, answer = _turns(decoded(_unguarded(line.row["conversation"]), "conversation"), line.row["index"])
        if answer.role != "assistant":
            raise Unusable("rated message is not an answer")
        yield Rating(
            prompt=prompt_of(said),
            completion=answer.content,
            up=marks.thumb(_unguarded(line.row["value"])),
            objective=objective,
            origin=origin(line, at=line.row["at"]),
        )

    def read(path: Path) -> Iterator[Rating | Rejected]:
        return each(_rows(path), make)

    return read


def _rows(path: Path) -> Iterator[Line | Rejected]:
    rows = csv_cells(path)
    _, header = next(rows)
    if header != HEADER:
        raise CaifError(f"{path}: is not the log of a ChatInterface", f"its header is {','.join(HEADER)}")
    for where, cells in rows:
        if len(cells) == len(CELLS):
            yield Line(where, dict(zip(CELLS, cells, strict=True)))
        else:
            yield Rejected(where=where, reason="wrong number of cells", detail=f"{len(cells)}, not {len(CELLS)}")


def _unguarded(cell: str) -> str:
    """Return a cell without the apostrophe by which Gradio keeps spreadsheets from running it."""
    return cell.removeprefix("'")


def _turns(talk: object, index: str) -> tuple[tuple[Message, ...], Message]:
    """Return the messages before the rated one, and that one. An index is n, or [row, side] of older pairs of texts."""
    at = decoded(index, "index")
    if not isinstance(talk, list):
        raise Unusable("conversation is not a list", f"it is {kind(talk)}")
    if isinstance(at, list):
        if len(at) != 2 or not all(type(n) is int for n in at):
            raise Unusable("index is not that of a message")
        at = 2 * at[0] + at[1]
        if all(isinstance(turn, list) and len(turn) == 2 for turn in talk):
            talk = [side for user, answer in talk for side in (["user", user], ["assistant", answer])]
    if type(at) is not int or not 0 <= at < len(talk):
        raise Unusable("index is not that of a message", index[:40])
    answers = messages(talk[at : at + 1])
    if not answers:
        raise Unusable("rated answer is empty")
    return messages(talk[:at]), answers[0]
