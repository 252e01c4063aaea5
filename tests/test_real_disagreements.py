"""People's own pairs with a second label on each: `caif feedback disagreements` counts what counting by hand does."""

import json
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import caif
from caif.cli import app
from caif.data import Comparison, Judgement, Preference
from caif.formats.caif_rows import as_line
from caif.formats.hh import hh_rlhf
from caif.hookspecs import FeedbackContext, hookimpl

ROOT = Path(__file__).parents[1]
FILE = ROOT.parent / "shared" / "data" / "hh_rlhf_harmless" / "harmless-base-dev.jsonl.gz"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the real data in ../shared/data is not here")
PEOPLE, PRINCIPLE = 80, "least-harmful"
RUN = f"""
name = "real"
constitution = "law.toml"
[prompts]
use = "hh-rlhf"
path = "{FILE}"
limit = 4
[[feedback]]
use = "pairs"
path = "people.jsonl"
[[feedback]]
use = "length"
"""
LAW = f"""
name = "law"
[objectives]
harmlessness = "do no harm"
[[principles]]
id = "{PRINCIPLE}"
objective = "harmlessness"
critique = "Say what harms."
revision = "Take out what harms."
compare = "Which answer is less harmful?"
"""


def some() -> list[Preference]:
    """Return the first of people's pairs."""
    rows = (row for row in hh_rlhf("harmlessness")(FILE) if isinstance(row, Preference))
    return list(islice(rows, PEOPLE))


def judged(row: Preference) -> Judgement:
    """Return the word of a judge that likes the longer answer, the same in both orders."""
    a, b = sorted((row.chosen, row.rejected))
    odds = math.log((1 + len(a)) / (1 + len(b)))
    verdict = "tie" if odds == 0 else "a" if odds > 0 else "b"
    about: dict[str, Any] = {"logit_ab": odds, "logit_ba": 0.0 - odds, "mass": 1.0, "flipped": False}
    return Judgement(
        comparison=Comparison(prompt=row.prompt, a=a, b=b), principle=PRINCIPLE, objective="harmlessness",
        verdict=verdict, judge="length", p_a=1 / (1 + math.exp(-odds)), **about,
    )  # fmt: skip


@hookimpl
def caif_feedback_sources() -> dict[str, Any]:
    """Offer what the judge says of the answers that people compared."""

    def length(context: FeedbackContext) -> Iterator[Any]:
        for row in some():
            yield (said := judged(row))
            a, b = (row.chosen, row.rejected) if len(row.chosen) >= len(row.rejected) else (row.rejected, row.chosen)
            yield row.but(chosen=a, rejected=b, principle=said.principle, source=context.source, rater=said.judge)

    return {"length": lambda: length}


def test_disagreements_of_people_and_a_judge_on_the_same_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every pair is compared; those where people took the shorter answer differ, and each has a kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "law.toml").write_text(LAW)
    (tmp_path / "run.toml").write_text(RUN)
    (tmp_path / "people.jsonl").write_text("".join(f"{json.dumps(as_line(row))}\n" for row in some()))
    caif.run_file("run.toml", home="home", plugins=[SimpleNamespace(caif_feedback_sources=caif_feedback_sources)])
    told = CliRunner().invoke(app, ["feedback", "disagreements", "real", "--home", "home", "--json"])
    assert told.exit_code == 0, told.output
    (row,) = json.loads(told.output)
    rows = some()
    assert (row["principle"], row["compared"]) == (PRINCIPLE, PEOPLE)
    assert row["differ"] == sum(len(pair.chosen) <= len(pair.rejected) for pair in rows)
    assert 0 < row["differ"] < PEOPLE
    assert sum(row["kinds"].values()) == row["differ"]
    assert row["kinds"]["the judge is unstable"] > 0 and row["examples"]
