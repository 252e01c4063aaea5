"""A thumb down that says why, or what would have been better, becomes a pair only where the judge agrees in both orders."""

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes import FAKE, LAW, PROMPT, context
from test_contrast_refusal import likes
from test_golden_prompts import written

from caif.data import Judgement, Origin, Preference, Rating, Rejected
from caif.hookspecs import Answer, FeedbackContext, Request
from caif.sources.corrections import corrections, talk

GOLDEN = Path(__file__).parent / "golden"


def thumb(**fields: Any) -> Rating:
    about: dict[str, Any] = {
        "prompt": PROMPT, "completion": "Rain is {old} paint.", "up": False, "objective": "honesty", "source": "shop",
        "rater": "r1", "origin": Origin(raw="votes.jsonl:7", at=5.0, conversation="c1"),
    }  # fmt: skip
    return Rating(**about | fields)


def given(
    rows: Sequence[Any], ask: Callable[..., Any] | None = None, score: Callable[..., Any] | None = None
) -> FeedbackContext:
    made = context(ask, score)
    object.__setattr__(made, "read", lambda *_, **__: iter(rows))
    return made


def made_of(rows: Sequence[Any], ask: Any = None, score: Any = None, **options: Any) -> list[Any]:
    source = corrections(Path("votes.jsonl"), judge=FAKE, selftest="off", **{"model": FAKE} | options)
    return list(source(given(rows, ask, score)))


def revising(text: str) -> Callable[[Sequence[Request]], list[Answer]]:
    return lambda requests: [Answer(text, "stop") for _ in requests]


def reasons(rows: Sequence[Any]) -> Counter[str]:
    return Counter(row.reason for row in rows if isinstance(row, Rejected))


def test_the_users_reason_takes_the_place_of_the_critique(same_as: Callable[[Path, str], None]) -> None:
    """All that the reviser is asked, to the letter."""
    same_as(
        GOLDEN / "correction-reason.txt",
        written(talk(thumb(reason="It is {wrong}: rain is water."), LAW.principles[0])),
    )


def test_a_reason_becomes_a_pair_where_the_judge_agrees() -> None:
    """The revision over the disliked answer, with the judge's probability and the record of the thumb."""
    found = made_of([thumb(reason="Wrong.")], revising("Rain is new water."), likes("new"))
    (judgement,) = [row for row in found if isinstance(row, Judgement)]
    (pair,) = [row for row in found if isinstance(row, Preference)]
    assert (pair.chosen, pair.rejected, pair.principle) == ("Rain is new water.", "Rain is {old} paint.", "true")
    assert pair.probability == judgement.p_a == pytest.approx(1 / (1 + math.exp(-1)))
    assert (pair.origin.raw, pair.origin.at, pair.origin.conversation) == ("votes.jsonl:7", 5.0, "c1")


def test_a_correction_takes_the_place_of_the_revision() -> None:
    """No model is asked to revise, though one is named."""
    asked: list[Request] = []

    def ask(requests: Sequence[Request]) -> list[Answer]:
        asked.extend(requests)
        return []

    found = made_of([thumb(reason="Wrong.", correction="Rain is new water.")], ask, likes("new"))
    assert [row.chosen for row in found if isinstance(row, Preference)] == ["Rain is new water."]
    assert asked == []


def first(questions: Sequence[Any]) -> list[Answer]:
    """Always name the answer that stands first, a little less surely in the second order."""
    return [Answer("", "stop", (-0.1, -2.4) if n % 2 == 0 else (-0.2, -1.8)) for n in range(len(questions))]


@pytest.mark.parametrize(
    ("row", "score", "why"),
    [
        (thumb(correction="Rain is new water."), likes("old"), "the labeler prefers the disliked answer"),
        (thumb(correction="Rain is new water."), first, "the labeler's orders differ"),
        (thumb(correction="Rain  is {old} paint."), likes("new"), "the correction: identical to the answer"),
        (thumb(reason="Wrong."), likes("new"), "the revision: begins with a label instead of an answer"),
        (thumb(up=True, reason="Nice."), likes("new"), "a thumb up"),
        (thumb(), likes("new"), "a thumb down without reason or correction"),
        (thumb(reason="Wrong.", objective="warmth"), likes("new"), "no principle of its objective applies"),
    ],
)
def test_what_is_not_used_is_counted_by_reason(row: Rating, score: Any, why: str) -> None:
    """No row is dropped without a word, and none becomes a preference."""
    found = made_of([row], revising("Revised answer: rain is new water."), score)
    assert not [one for one in found if isinstance(one, Preference)]
    assert reasons(found) == {why: 1}


def test_without_a_reviser_only_corrections_are_used() -> None:
    """A reason alone is counted, and a reviser that fails is no preference."""
    assert reasons(made_of([thumb(reason="Wrong.")], model=None)) == {"a reason alone, and no model to revise": 1}
    failing = lambda requests: [Answer("", "refused") for _ in requests]
    assert reasons(made_of([thumb(reason="Wrong.")], failing)) == {"the model gave no answer (refused)": 1}


def test_it_reads_what_thumbs_reads(tmp_path: Path) -> None:
    """The same export, through a registered format: thumbs to the one source, complaints to the other."""
    from caif.formats import caif_feedback_formats

    file = tmp_path / "votes.jsonl"
    rows = [
        {
            "prompt": "What is rain?",
            "completion": "Rain is old paint.",
            "up": False,
            "correction": "Rain is new water.",
        },
        {"prompt": "What is rain?", "completion": "Water.", "up": True},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    context_ = given([], None, likes("new"))
    object.__setattr__(context_, "read", lambda name, path, **options: caif_feedback_formats()[name](**options)(path))
    found = list(corrections(file, judge=FAKE, selftest="off", objective="honesty")(context_))
    assert [row.chosen for row in found if isinstance(row, Preference)] == ["Rain is new water."]
    assert reasons(found) == {"a thumb up": 1}
