"""The built-in sources label what was said and nothing else: no tie, no failure and no twin ever becomes a preference."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import pytest
from fakes import FAKE, LAW, PROMPT, context
from pydantic import ValidationError

from caif import plugins
from caif.content import Row
from caif.data import Comparison, Completion, Judgement, Preference, Prompt, Rejected, Revision, Turn
from caif.errors import CaifError
from caif.hookspecs import Answer, Question, Request
from caif.judge.wording import OPTIONS
from caif.sources.ai_labeler import ai_labeler
from caif.sources.contrast import contrast
from caif.sources.critique_revise import critique_revise
from caif.sources.labels import preference

Score = Callable[[Sequence[Question]], list[Answer]]
labeler = partial(ai_labeler, selftest="off")
"""These judges know x's and nothing else, which their self-test would find out: tests/judge has that."""


def samples(*texts: str, prompt: Prompt = PROMPT) -> list[Completion]:
    return [Completion(prompt=prompt, text=text, model="m", sample=n) for n, text in enumerate(texts)]


def longer_wins(questions: Sequence[Question]) -> list[Answer]:
    """Someone's judge: prefers the longer of two answers of x's, wherever it stands."""
    answers = []
    for question in questions:
        assert question.choices == OPTIONS[:2]
        lines = str(question.messages[-1]["content"]).splitlines()
        shown = [line.split(" ")[2] for line in lines if line.startswith("(")]  # (A) [mark] text [/mark]
        answers.append(Answer("", "stop", (-0.2, -1.7) if len(shown[0]) > len(shown[1]) else (-1.7, -0.2)))
    return answers


def always(answer: Answer) -> Score:
    return lambda questions: [answer for _ in questions]


def rows(kind: type[Row], given: Iterable[Row]) -> list[Any]:
    return [row for row in given if type(row) is kind]


def reasons(given: Iterable[Row]) -> Counter[str]:
    return Counter(row.reason for row in rows(Rejected, given))


SILENT = {
    "tie": Answer("", "stop", (-0.7, -0.7)), "place only": Answer("", "stop", (-0.01, -5.0)), "refused": Answer("", "refused"),
    "filtered": Answer("", "filtered"), "error": Answer("", "error"), "no mass": Answer("", "stop", (-20.0, -30.0)),
    "nan": Answer("", "stop", (float("nan"), -1.0)),
}  # fmt: skip


@pytest.mark.parametrize("what", SILENT)
def test_a_tie_or_failure_is_no_label_of_the_ai_labeler(what: str) -> None:
    """P3: neither random nor one-sided; the judgement is kept and the preference is not made."""
    given = list(labeler(judge=FAKE)(context(score=always(SILENT[what]), samples=samples("x", "xx", "xxx"))))
    assert len(rows(Judgement, given)) == 3
    assert rows(Preference, given) == []


@pytest.mark.parametrize("what", SILENT)
def test_a_tie_or_failure_is_no_label_of_critique_revise(what: str) -> None:
    """The revision is not taken for the better answer because it is the revision."""
    turn = Turn(principle="true", critique="c", revision="xx")
    revision = Revision(prompt=PROMPT, first="x", turns=(turn,), final="xx")
    given = list(critique_revise(selftest="off", judge=FAKE)(context(score=always(SILENT[what]), revisions=[revision])))
    assert len(rows(Judgement, given)) == 1
    assert rows(Preference, given) == []


def test_the_labelers_preference_is_the_judges_probability() -> None:
    """Soft, the likelier answer as chosen, with judge, principle, objective and source on the row."""
    given = list(labeler(judge=FAKE)(context(score=longer_wins, samples=samples("x", "xxx"))))
    (label,), (judgement,) = rows(Preference, given), rows(Judgement, given)
    principle = LAW.principle(judgement.principle)
    assert (label.chosen, label.rejected) == ("xxx", "x")
    assert label.probability == pytest.approx(1 / (1 + 2.718281828**-1.5))
    assert (label.principle, label.objective, label.rater, label.source) == (
        principle.id,
        principle.objective,
        "fake:it",
        "test",
    )


def test_the_order_in_which_answers_were_sampled_changes_no_label() -> None:
    """METHODS (b) 1: shuffled samples give the same principles and the same preferences, row for row."""
    prompts = [Prompt.of(f"q{n}") for n in range(20)]
    orders = [
        [s for p in prompts for s in samples(*texts, prompt=p)] for texts in (("x", "xx", "xxx"), ("xxx", "x", "xx"))
    ]
    straight, shuffled = (list(labeler(judge=FAKE)(context(score=longer_wins, samples=order))) for order in orders)
    assert {row.id for row in rows(Preference, straight)} == {row.id for row in rows(Preference, shuffled)}
    assert len(rows(Preference, straight)) == 60


def test_the_principle_is_drawn_without_regard_to_which_answer_is_a() -> None:
    """A comparison and its swap are judged under one principle."""
    drawn = []
    for texts in (("x", "xx"), ("xx", "x")):
        chosen = [s for n in range(40) for s in samples(*texts, prompt=Prompt.of(f"q{n}"))]
        judged = rows(Judgement, labeler(judge=FAKE)(context(score=longer_wins, samples=chosen)))
        drawn.append({j.comparison.prompt.id: j.principle for j in judged})
    assert drawn[0] == drawn[1]
    assert set(drawn[0].values()) == {"true", "short"}


def test_identical_answers_are_rejected_and_counted() -> None:
    """A twin is no second opinion, and does not use up the place of a real comparison."""
    given = list(labeler(judge=FAKE, per_prompt=1)(context(score=longer_wins, samples=samples("x", "x", "x", "xx"))))
    assert reasons(given) == {"identical answers": 2}
    assert [(p.chosen, p.rejected) for p in rows(Preference, given)] == [("xx", "x")]


def test_samples_without_an_answer_are_rejected_and_counted() -> None:
    """A refusal or an error is not an answer to compare; a prompt left with one answer says so."""
    failed = [
        Completion(prompt=PROMPT, text="", model="m", sample=n, finish=f)
        for n, f in enumerate(("refused", "error", "stop"))
    ]  # type: ignore[arg-type]
    given = list(labeler(judge=FAKE)(context(score=longer_wins, samples=[*failed, *samples("x")])))
    assert reasons(given) == {"sample without an answer": 3, "no second answer to compare with": 1}
    assert rows(Judgement, given) == []


def test_a_comparison_that_no_principle_applies_to_is_counted() -> None:
    """Nothing disappears in silence."""
    law = LAW.model_copy(
        update={"principles": tuple(p.model_copy(update={"applies_to": ("medicine",)}) for p in LAW.principles)}
    )
    given = list(labeler(judge=FAKE)(context(score=longer_wins, constitution=law, samples=samples("x", "xx"))))
    assert reasons(given) == {"no principle applies": 1}


def test_no_more_pairs_a_prompt_than_asked_for() -> None:
    """Six answers have fifteen pairs; four are taken, and `limit` caps the whole."""
    chosen = [s for n in range(3) for s in samples(*("x" * k for k in range(1, 7)), prompt=Prompt.of(f"q{n}"))]
    judged = rows(Judgement, labeler(judge=FAKE, per_prompt=4)(context(score=longer_wins, samples=chosen)))
    assert Counter(j.comparison.prompt.text for j in judged) == {"q0": 4, "q1": 4, "q2": 4}
    assert len(rows(Judgement, labeler(judge=FAKE, limit=5)(context(score=longer_wins, samples=chosen)))) == 5


def revision(final: str | None, *turns: tuple[str, str]) -> Revision:
    return Revision(
        prompt=PROMPT, first="x", final=final,
        turns=tuple(Turn(principle=p, critique="c", revision="r", rejected=why) for p, why in turns),
    )  # fmt: skip


def test_a_revision_is_judged_by_the_principle_that_was_last_followed() -> None:
    """The rejected turn's principle did not shape the answer."""
    given = list(
        critique_revise(selftest="off", judge=FAKE)(
            context(score=longer_wins, revisions=[revision("xx", ("true", ""), ("short", "empty"))])
        )
    )
    (judgement,) = rows(Judgement, given)
    assert judgement.principle == "true"
    assert judgement.comparison == Comparison(prompt=PROMPT, a="xx", b="x")


def test_a_worse_revision_is_labelled_as_worse() -> None:
    """Where all are kept, the label goes whichever way the judge's probability falls."""
    better = Revision(
        prompt=PROMPT, first="xxx", turns=(Turn(principle="true", critique="c", revision="x"),), final="x"
    )
    (label,) = rows(Preference, critique_revise(selftest="off", judge=FAKE, keep="all")(context(score=longer_wins, revisions=[better])))
    assert (label.chosen, label.rejected) == ("xxx", "x")


def test_chains_without_a_new_answer_are_rejected_and_counted() -> None:
    """No accepted turn, or turns that led back to the first answer."""
    chains = [revision(None, ("true", "empty")), revision(None), revision("x", ("true", ""), ("short", ""))]
    given = list(critique_revise(selftest="off", judge=FAKE)(context(score=longer_wins, revisions=chains)))
    assert reasons(given) == {"no accepted revision": 2, "identical answers": 1}
    assert rows(Judgement, given) == []


def answering(good: Answer, bad: Answer) -> Callable[[Sequence[Request]], list[Answer]]:
    """Return someone's model that obeys `Be true.` or `Be short.` with one answer and says the other else."""
    return lambda requests: [
        good if "Be true." in str(r.messages) or "Be short." in str(r.messages) else bad for r in requests
    ]


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        (Answer("x", "stop"), Answer("x", "stop"), "identical answers"),
        (Answer("", "refused"), Answer("x", "stop"), "sample without an answer"),
        (Answer("x", "stop"), Answer("", "error"), "sample without an answer"),
        (Answer("x", "stop"), Answer("", "stop"), "sample without an answer"),
    ],
)
def test_contrast_makes_no_label_of_a_failure_or_of_twins(good: Answer, bad: Answer, reason: str) -> None:
    """The answer that is missing is not the worse one."""
    given = list(contrast(model=FAKE)(context(answering(good, bad), prompts=[PROMPT])))
    assert reasons(given) == {reason: 1}
    assert rows(Preference, given) == []


def test_contrast_labels_what_was_made_under_the_principle_as_chosen() -> None:
    """With the stated probability, never with certainty by default."""
    (label,) = rows(
        Preference,
        contrast(model=FAKE)(context(answering(Answer("yes", "stop"), Answer("no", "length")), prompts=[PROMPT])),
    )
    assert (label.chosen, label.rejected, label.probability, label.rater) == ("yes", "no", 0.9, "construction")


def test_contrast_says_which_prompts_no_principle_could_be_used_for() -> None:
    """A principle without `instruct` cannot be sampled under."""
    law = LAW.model_copy(update={"principles": tuple(p.model_copy(update={"instruct": ""}) for p in LAW.principles)})
    given = list(
        contrast(model=FAKE)(context(answering(SILENT["tie"], SILENT["tie"]), constitution=law, prompts=[PROMPT]))
    )
    assert reasons(given) == {"no principle with an instruct applies": 1}


def test_a_tie_in_a_judgement_has_no_preference() -> None:
    """The one place where judgements become labels."""
    about = {"comparison": Comparison(prompt=PROMPT, a="x", b="y"), "principle": "p", "objective": "o", "judge": "j"}
    assert list(preference(Judgement(**about, verdict="tie", p_a=0.5))) == []
    assert list(preference(Judgement(**about, verdict="invalid"))) == []
    (label,) = preference(Judgement(**about, verdict="b", p_a=0.25))
    assert (label.chosen, label.rejected, label.probability) == ("y", "x", 0.75)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ai-labeler", {"votes": 0}), ("ai-labeler", {"per_prompt": 0}), ("ai-labeler", {"limit": -1}), ("ai-labeler", {"min_mass": 2}),
        ("critique-revise", {"votes": 0}), ("ai-labeler", {"method": "guess"}), ("ai-labeler", {"vote": 3}),
        ("contrast", {"probability": 0.5}), ("contrast", {"probability": float("nan")}), ("contrast", {"max_tokens": 0}),
    ],
)  # fmt: skip
def test_an_option_that_makes_no_sense_is_refused_by_name(name: str, options: dict[str, Any]) -> None:
    """Before any model is asked."""
    model = {"model": FAKE} if name == "contrast" else {"judge": FAKE}
    with pytest.raises(CaifError, match=next(iter(options))):
        plugins.load().make("caif_feedback_sources", name, model | options)


def test_a_preference_row_cannot_be_made_without_a_probability() -> None:
    """There is no default that a source could fall back on."""
    with pytest.raises(ValidationError, match="probability"):
        Preference(prompt=PROMPT, chosen="a", rejected="b", objective="o")  # type: ignore[call-arg]
