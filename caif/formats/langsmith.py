"""LangSmith's feedback and runs: one line each of `client.list_feedback(...)` and of `client.list_runs(...)`, as JSON.

Only people's feedback is read (`feedback_source.type` app or api), not that of evaluators. A score of 1 is up and 0 down
unless the reader is told otherwise. Rows that share a `feedback_group_id` compare runs: the higher score is the better
answer, equal ones are a tie. A `correction` is the answer that the person wanted instead.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from caif.data import Message, Preference, Rating, Rejected
from caif.formats.fields import Unusable, because, each, hashed, kind, origin, pair, prompt_of, rated
from caif.formats.jsonl import Line
from caif.formats.polarity import Marks, Polarity, mark, polarity
from caif.formats.rows import Records, any_rows, by_id, found, json_rows
from caif.formats.talk import answered, asked
from caif.hookspecs import Reader

SESSIONS = ("thread_id", "session_id", "conversation_id")
"""The keys of a run's metadata by which LangSmith itself groups runs into threads."""


class Setting(NamedTuple):
    """What is read and how."""

    runs: Records
    marks: Polarity
    objective: str
    salt: str


def langsmith(
    runs: Path,
    key: str = "",
    sources: tuple[str, ...] = ("app", "api"),
    up: Marks = (1, True),
    down: Marks = (0, False),
    objective: str = "helpfulness",
    salt: str = "caif",
) -> Reader:
    """Read thumbs, corrections and pairwise feedback. `key` is the feedback key to read, where there are several."""
    marks = polarity(up, down)

    def read(path: Path) -> Iterator[Rating | Preference | Rejected]:
        held, turned_away = by_id(json_rows(runs), runs)
        yield from turned_away
        setting, groups = Setting(held, marks, objective, salt), defaultdict[str, list[Line]](list)

        def make(line: Line) -> Iterator[Rating]:
            _check(line.row, key, sources)
            group = line.row.get("feedback_group_id")
            if group is not None:
                groups[str(group)[:80]].append(line)
            else:
                yield _rating(line, setting)

        yield from each(any_rows(path), make)
        for lines in groups.values():
            yield from each(lines[:1], partial(_pairs, lines, setting))

    return read


def _check(row: Mapping[str, Any], key: str, sources: Sequence[str]) -> None:
    if key and row.get("key") != key:
        raise Unusable("feedback of another key")
    source = row.get("feedback_source")
    kind_of = source.get("type") if isinstance(source, dict) else None
    if kind_of not in sources:
        raise Unusable(
            "not feedback of people", f"its source is {kind_of!r:.40}" if isinstance(kind_of, str) else "no source"
        )


def _rating(line: Line, setting: Setting) -> Rating:
    row = line.row
    run = found(setting.runs, row.get("run_id"), "run")
    correction = "" if row.get("correction") in (None, "", {}) else answered(row["correction"])
    score = row.get("score") if row.get("score") is not None else row.get("value")
    up = False if score is None and correction else setting.marks.thumb(score)
    return Rating(
        prompt=prompt_of(asked(run.get("inputs"))),
        completion=_answer(run),
        up=up,
        objective=setting.objective,
        rater=_rater(row, setting.salt),
        reason=because("", row.get("comment")),
        correction=correction,
        origin=origin(line, row.get("id"), row.get("created_at"), _session(run, setting.salt)),
    )


def _pairs(lines: Sequence[Line], setting: Setting, _: Line) -> Iterator[Preference]:
    """Yield a preference for every two runs of a group. It goes by its first line, having none of its own."""
    if len(lines) < 2:
        raise Unusable("a comparison of one run")
    runs = [found(setting.runs, line.row.get("run_id"), "run") for line in lines]
    prompts: set[tuple[Message, ...]] = {asked(run.get("inputs")) for run in runs}
    if len(prompts) > 1:
        raise Unusable("prompts differ", "the runs of a comparison had different inputs")
    prompt, scores = prompt_of(prompts.pop()), [_score(line.row) for line in lines]
    for one, other in combinations(range(len(lines)), 2):
        better, worse = (other, one) if scores[other] > scores[one] else (one, other)
        chosen, rejected = pair(_answer(runs[better]), _answer(runs[worse]))
        row = lines[better].row
        yield Preference(
            prompt=prompt, chosen=chosen, rejected=rejected, objective=setting.objective,
            probability=0.5 if scores[one] == scores[other] else 1.0, rater=_rater(row, setting.salt),
            origin=origin(lines[better], row.get("feedback_group_id"), row.get("created_at")),
        )  # fmt: skip


def _score(row: Mapping[str, Any]) -> float:
    score = row.get("score")
    if not mark(score) or isinstance(score, str):
        raise Unusable("score is not a number", f"it is {kind(score)}")
    return float(score)  # type: ignore[arg-type]


def _answer(run: Mapping[str, Any]) -> str:
    if run.get("error"):
        raise Unusable("the run failed")
    return rated(answered(run.get("outputs")))


def _rater(row: Mapping[str, Any], salt: str) -> str:
    source = row["feedback_source"]
    return hashed("user", source.get("user_id") or source.get("ls_user_id"), salt)


def _session(run: Mapping[str, Any], salt: str) -> str:
    extra = run.get("extra")
    metadata = extra.get("metadata") if isinstance(extra, dict) else None
    found_at = [metadata.get(key) for key in SESSIONS] if isinstance(metadata, dict) else []
    return hashed("chat", next(filter(None, found_at), ""), salt)
