"""Labels of every sort in a stage's folder, as a run would have left them there."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from caif.content import Row
from caif.data import Message, Origin, Preference, Prompt, Rating
from caif.store import Artifact, table_name
from caif.tables import write_rows

ASKED = Prompt.of("How long do I boil an egg?")
TALK = Prompt(
    messages=(
        Message(role="system", content="Be brief."),
        Message(role="user", content="Hi"),
        Message(role="assistant", content="Hello!"),
        Message(role="user", content="Is tea a herb? ☕\n<b>"),
    )
)
JUDGED = Preference(
    prompt=TALK, chosen="No, a shrub.", rejected="Yes.", probability=0.8, weight=0.5, objective="honesty", principle="true",
    source="ai-labeler", rater="judge-1", origin=Origin(law="abc", order="both", tokens_in=7, price=0.25, raw="secret record"),
)  # fmt: skip
PERSONS = Preference(
    prompt=ASKED, chosen="Seven minutes.", rejected="Long.", probability=1.0, objective="helpfulness", source="people",
    rater="ann", origin=Origin(raw="record 7", at=1700000000.5, conversation="chat-1"),
)  # fmt: skip
ASIDE = PERSONS.but(prompt=ASKED.but(split="heldout"), chosen="Nine minutes.", rater="bob")
TIE = PERSONS.but(probability=0.5, rejected="Eight minutes.")
WEIGHTLESS = PERSONS.but(weight=0.0)
UP = Rating(
    prompt=TALK, completion="No.", up=True, objective="helpfulness", source="people", rater="ann", reason="short"
)
DOWN = Rating(prompt=ASKED, completion="Long.", up=False, objective="helpfulness", source="people", correction="Seven.")
ALL: tuple[Row, ...] = (JUDGED, PERSONS, ASIDE, TIE, WEIGHTLESS, UP, DOWN)


def made_in(folder: Path, rows: Sequence[Row], stage: str = "combine", **facts: Any) -> Artifact:
    """Write rows as a stage's artifact."""
    folder.mkdir(parents=True)
    counts: dict[str, int] = {}
    for kind in {type(row): None for row in rows}:
        mine = [row for row in rows if type(row) is kind]
        write_rows(folder / f"{table_name(kind)}.parquet", mine, kind)
        counts[table_name(kind)] = len(mine)
    told = {"stage": stage, "by": stage, "key": "k", "counts": counts, "metrics": {}, "config": {}} | facts
    return Artifact(folder, json.loads(json.dumps(told)))
