"""Every label says how it came about: under which wording of which principle, in which order, and what it took."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import pytest
from fakes import FAKE, LAW, PROMPT, context

from caif.config import ModelSpec
from caif.constitution import Constitution
from caif.data import Comparison, Completion, Judgement, Origin, Preference, Prompt
from caif.hookspecs import Answer, Model, Question
from caif.models.resolve import resolve
from caif.sources.ai_labeler import ai_labeler
from caif.sources.contrast import contrast
from caif.sources.labels import origin
from caif.sources.refusal import refusal

R = TypeVar("R", Preference, Judgement)

NOON = 1.8e9
SAMPLES = [Completion(prompt=PROMPT, text=text, model="m", sample=n) for n, text in enumerate(("Water.", "Stone."))]


def judge(questions: Sequence[Question]) -> list[Answer]:
    """Someone's judge, at 100 tokens in, 2 out and a second a question: it prefers water, wherever it stands."""
    answers = []
    for n, question in enumerate(questions):
        shown = str(question.messages[-1]["content"])
        first = shown.index("Water") < shown.index("Stone")
        answers.append(Answer("", "stop", (-0.2, -1.7) if first else (-1.7, -0.2), tokens_in=100, tokens_out=2, at=NOON + n))
    return answers


def labelled(law: Constitution = LAW, **price: float) -> Preference:
    """Return the one label of the labeler."""
    return said(Preference, law, **price)


def said(kind: type[R], law: Constitution = LAW, **price: float) -> R:
    """Return the one row of a kind that the labeler gives."""
    given = replace(
        context(score=judge, samples=SAMPLES, constitution=law), model=lambda spec: Model(spec.use, None, **price)
    )  # type: ignore[arg-type]
    (row,) = [row for row in ai_labeler(judge=FAKE, selftest="off")(given) if isinstance(row, kind)]
    return row


def test_a_judges_label_names_its_law_its_order_its_price_and_its_time() -> None:
    """Two questions of 102 tokens, at 10 and 30 a million; without a price in the run file there is none, not 0.

    The time is that of the later answer.
    """
    row = labelled(price_in=10.0, price_out=30.0)
    law = LAW.principle(row.principle).digest
    found = said(Judgement, price_in=10.0, price_out=30.0)
    assert row.origin == Origin(
        raw=f"judgement {found.id}", at=NOON + 1, law=law, order="both", tokens_in=200, tokens_out=4, price=2120 / 1e6
    )
    assert found.logit_ab and found.comparison.prompt == row.prompt
    assert labelled().origin.price is None
    assert labelled(price_in=10.0).origin.price == pytest.approx(0.002)


def test_another_wording_of_a_principle_is_another_law_and_no_other_label() -> None:
    """The origin is no part of what a label says, so its id stays."""
    reworded = LAW.model_copy(
        update={"principles": tuple(p.model_copy(update={"revision": "Other."}) for p in LAW.principles)}
    )
    one, other = labelled(), labelled(reworded)
    assert one.id == other.id
    assert one.origin.law != other.origin.law


def test_one_answer_at_a_time_knows_no_order() -> None:
    """So none is named."""
    judged = Judgement(
        comparison=Comparison(prompt=PROMPT, a="x", b="y"), principle="true", objective="honesty", verdict="a",
        judge="j", p_a=0.7, logit_ab=0.8, method="pointwise", law="l", tokens_in=3,
    )  # fmt: skip
    assert origin(judged) == Origin(raw=f"judgement {judged.id}", law="l", tokens_in=3)


def test_labels_by_construction_name_the_law_too() -> None:
    """The principle that an answer was sampled under, or that a refusal serves; a pair that was written has its time and cost."""
    texts = iter(["Water.", "Stone."])
    made = contrast(model=FAKE)(
        context(ask=lambda requests: [Answer(next(texts), "stop", tokens_in=9, tokens_out=4, at=NOON) for _ in requests], prompts=[PROMPT])
    )
    (row,) = [row for row in made if isinstance(row, Preference)]
    assert row.origin == Origin(law=LAW.principle(row.principle).digest, at=NOON, tokens_in=18, tokens_out=8)
    safe = [Completion(prompt=Prompt.of("Hi?", tags=("safe",)), text="Hello.", model="m")]
    (row,) = [row for row in refusal(share=0.0)(context(samples=safe)) if isinstance(row, Preference)]
    assert row.origin == Origin(law=LAW.principle(row.principle).digest)


def test_a_resolved_model_has_the_run_files_price() -> None:
    """From the model's table to the label."""
    model = resolve(ModelSpec(use="some:x", price_in=1.0, price_out=2.0), {"some": lambda name: object()})
    assert model.price(1_000_000, 500_000) == 2.0
    assert resolve(ModelSpec(use="some:x"), {"some": lambda name: object()}).price(1, 1) is None
