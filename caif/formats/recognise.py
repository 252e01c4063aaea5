"""What a feedback file looks like: the formats whose keys its first rows have. What a value means is never guessed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from caif.errors import CaifError
from caif.formats.jsonl import Line
from caif.formats.rows import PARQUET, begin, json_rows
from caif.formats.tables import csv_cells, parquet_columns

R = TypeVar("R")
ROWS = 20


class Guess(NamedTuple):
    """A format that a file may be of: how sure that is (0 to 1), by what it was told, and what its reader must be told."""

    format: str
    sure: float
    why: str
    needs: str


class Sign(NamedTuple):
    """The keys that rows of a format have; a dot leads into an object. `also` looks at a row where keys are not enough."""

    format: str
    keys: tuple[str, ...]
    sure: float = 0.95
    needs: str = ""
    also: Callable[[Mapping[str, Any]], bool] | None = None


def _transcript(row: Mapping[str, Any]) -> bool:
    return isinstance(row["chosen"], str) and row["chosen"].startswith("\n\nHuman:")


def _own_pair(row: Mapping[str, Any]) -> bool:
    """Whether a pair says more than TRL's do: how sure it is, above all, which read as TRL's would be lost."""
    said = row.keys() & {"probability", "weight", "objective", "principle", "rater"}
    return bool(said) and isinstance(row["chosen"], str)


def _messages(row: Mapping[str, Any]) -> bool:
    return isinstance(row["chosen"], Mapping) and "role" in row["chosen"]


NO_TEXT = "the JSON export: the CSV holds no text of prompts and answers"
STEPS = "steps=FILE, the steps or threads that hold the texts"
RUNS = "runs=FILE, the runs that hold the texts"
TRACES = "traces=FILE, the traces that hold the texts"
SPANS = "spans=FILE, the spans that hold the texts"
MESSAGES = "messages=FILE, the messages that hold the texts"

SIGNS = (
    Sign("open-webui", ("data", "meta", "snapshot")),
    Sign("open-webui", ("sibling_model_ids", "rating", "chat_id"), needs=NO_TEXT),
    Sign("librechat", ("messageId", "conversationId", "parentMessageId", "isCreatedByUser")),
    Sign("chainlit", ("forId", "value"), needs=STEPS),
    Sign("chainlit", ("stepId", "value"), needs=STEPS),
    Sign("chainlit", ("threadId", "type", "output"), 0.8),
    Sign("chainlit", ("steps",), 0.7),
    Sign("gradio", ("conversation", "index", "value", "flag", "timestamp")),
    Sign("langsmith", ("run_id", "key", "score"), needs=RUNS),
    Sign("langfuse", ("name", "source", "value", "dataType"), needs=TRACES),
    Sign("phoenix", ("annotator_kind", "result"), needs=SPANS),
    Sign("argilla", ("fields", "responses")),
    Sign("label-studio", ("data", "annotations")),
    Sign("chatbot-arena", ("conversation_a", "conversation_b", "winner")),
    Sign("chatbot-arena", ("tstamp", "type", "states")),
    Sign("chatbot-arena", ("tstamp", "type", "state")),
    Sign("vercel", ("chatId", "messageId", "isUpvoted"), needs=MESSAGES),
    Sign("openai-preference", ("input", "preferred_output", "non_preferred_output")),
    Sign("llama-factory", ("conversations", "chosen", "rejected")),
    Sign("llama-factory", ("instruction", "chosen", "rejected")),
    Sign("llama-factory", ("conversations", "kto_tag")),
    Sign("llama-factory", ("instruction", "output", "kto_tag")),
    Sign("axolotl", ("messages", "chosen", "rejected"), also=_messages),
    Sign("axolotl", ("conversation", "chosen", "rejected"), also=_messages),
    Sign("hh-rlhf", ("chosen", "rejected"), also=_transcript),
    Sign("oasst", ("prompt.replies",)),
    Sign("fine-grained", ("prediction 1", "prediction 2", "preference")),
    Sign("icai", ("text_a", "text_b", "preferred_text")),
    Sign("llmbar", ("output_1", "output_2", "label")),
    Sign("reviews", ("vote", "rater", "at"), 0.99),
    Sign("caif", ("prompt", "completion", "up")),
    Sign("caif", ("prompt", "chosen", "rejected"), also=_own_pair),
    Sign("trl-unpaired", ("prompt", "completion", "label")),
    Sign("trl", ("prompt", "chosen", "rejected"), 0.9),
    Sign("trl", ("chosen", "rejected"), 0.6),
)


def recognise(path: Path) -> list[Guess]:
    """Return what a file, or a folder of files, may be, the surest first; nothing if its rows have no known keys.

    A file of rows with other keys may be read as a `table`, which has to be told what its columns mean.
    """
    if not path.exists():
        raise CaifError(f"{path}: no such file", "check the path")
    files = sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]
    best = dict[str, Guess]()
    for guess in (guess for file in files for guess in _of_file(file)):
        if guess.format not in best or guess.sure > best[guess.format].sure:
            best[guess.format] = guess
    return sorted(best.values(), key=lambda guess: -guess.sure)


def unreadable(path: Path) -> CaifError | None:
    """Return why not one row of a file can be read, None where one can: a broken file is of no format that helps."""
    try:
        next(_head(path), None)
    except CaifError as error:
        return error
    return None


def _of_file(path: Path) -> Iterator[Guess]:
    rows = list(_readable(islice(_head(path), ROWS)))
    for sign in SIGNS:
        if fitting := sum(_fits(row, sign) for row in rows):
            sure = sign.sure * (0.5 + 0.5 * fitting / len(rows))
            yield Guess(sign.format, round(sure, 3), f"rows of {path.name} have {', '.join(sign.keys)}", sign.needs)
    if rows and len(rows[0]) > 1:
        columns = ", ".join(islice(rows[0], 12))
        yield Guess(
            "table", 0.1, f"rows of {path.name} have {columns}", "map={…}, and up=[…] and down=[…] for a rating"
        )


def _fits(row: Mapping[str, Any], sign: Sign) -> bool:
    return all(_has(row, key) for key in sign.keys) and (sign.also is None or sign.also(row))


def _has(row: object, key: str) -> bool:
    here, _, below = key.partition(".")
    return isinstance(row, Mapping) and here in row and (not below or _has(row[here], below))


def _head(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the first rows of a file of any kind; of a table only a row of its columns. What is no row is left out."""
    start = begin(path)
    if start[:1] in (b"[", b"{"):
        yield from (item.row for item in json_rows(path) if isinstance(item, Line))
    elif columns := parquet_columns(path) if start.startswith(PARQUET) else next(csv_cells(path))[1]:
        yield dict.fromkeys(columns)


def _readable(rows: Iterable[R]) -> Iterator[R]:
    """Pass rows through up to the one that cannot be read."""
    try:
        yield from rows
    except CaifError:
        return


def hinted(rows: Iterable[R], path: Path, format: str) -> Iterator[R]:
    """Pass rows through; an error about a file that looks like another format's says which."""
    try:
        yield from rows
    except CaifError as error:
        if path.exists() and (other := _other(path, format)):
            said = f"it looks like {other.format}: {other.why}"
            raise CaifError(error.message, said, code=error.code) from None
        raise


def _other(path: Path, format: str) -> Guess | None:
    """Return what a file surely is, if that is not the format it was read as."""
    guesses = recognise(path)
    return guesses[0] if guesses and guesses[0].sure > 0.5 and guesses[0].format != format else None
