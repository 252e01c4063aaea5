"""Which principles judge what, what authority does, and what a panel's labels weigh."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from fakes import FAKE, context

from caif.config import ModelSpec
from caif.constitution import Constitution, Principle
from caif.data import Comparison, Completion, Judgement, Preference, Prompt, Rejected
from caif.errors import CaifError
from caif.hookspecs import Answer, Question
from caif.sources.ai_labeler import ai_labeler
from caif.sources.choosing import choose

labeler = partial(ai_labeler, selftest="off")
PROMPTS = [Prompt.of(f"Question {n}?", ["medical"] if n % 2 else []) for n in range(200)]
COMPARED = [Comparison(prompt=prompt, a="one", b="two") for prompt in PROMPTS]


def rule(name: str, **fields: object) -> Principle:
    told = {"objective": "o", "critique": "c", "revision": "r", "compare": f"Which is {name}?"}
    return Principle.model_validate({"id": name, **told, **fields})


def law(*rules: Principle) -> Constitution:
    return Constitution(name="law", objectives={"o": "O."}, principles=rules)


def test_balanced_uses_each_principle_as_its_weight_says() -> None:
    """A draw leaves that to chance; balanced differs from the weights' shares by less than one comparison each."""
    picked, _ = choose(law(rule("x"), rule("y", weight=2), rule("z")), COMPARED, "balanced", "s", 0)
    used = Counter(chosen.principle.id for chosen in picked)
    assert all(abs(used[name] - share) <= 1 for name, share in {"x": 50, "y": 100, "z": 50}.items())
    again, _ = choose(law(rule("x"), rule("y", weight=2), rule("z")), COMPARED[::-1], "balanced", "s", 0)
    assert picked == again


def test_all_asks_what_applies_and_the_labels_share_one_weight() -> None:
    """Principles for other tags, and those of weight 0, are not asked; the shares of a comparison add up to 1."""
    rules = law(rule("x", weight=3), rule("y"), rule("doctor", applies_to=["medical"]), rule("off", weight=0))
    picked, without = choose(rules, COMPARED[:2], "all", "s", 0)
    assert without == []
    assert [(c.principle.id, c.share) for c in picked if c.comparison is COMPARED[0]] == [("x", 0.75), ("y", 0.25)]
    assert [c.principle.id for c in picked if c.comparison is COMPARED[1]] == ["x", "y", "doctor"]
    assert sum(c.share for c in picked if c.comparison is COMPARED[1]) == pytest.approx(1)


@pytest.mark.parametrize("how", ["one", "balanced", "all"])
def test_what_no_principle_applies_to_is_told(how: str) -> None:
    """Left out of no count."""
    picked, without = choose(law(rule("doctor", applies_to=["medical"])), COMPARED[:10], how, "s", 0)  # type: ignore[arg-type]
    assert [c.prompt.id for c in without] == [c.prompt.id for c in COMPARED[:10:2]]
    assert len(picked) == 5


def scorer(sure: dict[str, float]) -> Callable[[Sequence[Question]], list[Answer]]:
    """Return a judge with a log-odds for answer "one" under each principle, wherever it stands."""

    def score(questions: Sequence[Question]) -> list[Answer]:
        answers = []
        for question in questions:
            text = str(question.messages[-1]["content"])
            logit = next(value for name, value in sure.items() if f"Which is {name}?" in text)
            logit *= 1 if text.index("] one [") < text.index("] two [") else -1
            answers.append(Answer("", "stop", (-math.log1p(math.exp(-logit)), -math.log1p(math.exp(logit)))))
        return answers

    return score


def labels(rules: Constitution, sure: dict[str, float], **options: object) -> list[object]:
    samples = [Completion(prompt=PROMPTS[0], text=text, model="m", sample=n) for n, text in enumerate(("one", "two"))]
    given = labeler(judge=FAKE, draw="all", **options)  # type: ignore[arg-type]
    return list(given(context(score=scorer(sure), samples=samples, constitution=rules)))


def test_a_sure_principle_of_higher_authority_overrules_those_that_differ() -> None:
    """What it overrules is kept as a judgement with its resolution and gives no label; what agrees stands."""
    rules = law(rule("safe", authority=2), rule("kind", authority=1), rule("short"), rule("plain"))
    given = labels(rules, {"safe": 3.0, "kind": -1.0, "short": -4.0, "plain": 2.0})
    resolved = {row.principle: row.resolution for row in given if isinstance(row, Judgement)}
    standing = "one of 4 that apply"
    assert resolved == {"safe": standing, "kind": "overruled by safe", "short": "overruled by safe", "plain": standing}
    assert {(row.principle, row.chosen, row.resolution) for row in given if isinstance(row, Preference)} == {
        ("safe", "one", standing), ("plain", "one", standing),
    }  # fmt: skip
    assert [row.detail for row in given if isinstance(row, Rejected)] == ["kind", "short"]


def test_what_is_overruled_overrules_nothing_itself() -> None:
    """Whoever agrees with the highest authority stands, however sure one in between is of the contrary."""
    rules = law(rule("safe", authority=2), rule("kind", authority=1), rule("plain"))
    given = labels(rules, {"safe": 3.0, "kind": -3.0, "plain": 2.0})
    assert {row.principle for row in given if isinstance(row, Preference)} == {"safe", "plain"}
    assert [row.detail for row in given if isinstance(row, Rejected)] == ["kind"]


def test_an_unsure_principle_overrules_nothing() -> None:
    """sigmoid(0.5) is 0.62, below the default of 0.75 and above 0.6."""
    rules = law(rule("safe", authority=2), rule("short"))
    sure = {"safe": 0.5, "short": -4.0}
    assert {row.principle for row in labels(rules, sure) if isinstance(row, Preference)} == {"safe", "short"}
    assert {row.principle for row in labels(rules, sure, veto=0.6) if isinstance(row, Preference)} == {"safe"}


def test_equals_do_not_overrule_each_other() -> None:
    """Two principles of the same authority that disagree both stand: that is for the mixture and its report."""
    given = labels(law(rule("safe", authority=1), rule("short", authority=1)), {"safe": 5.0, "short": -5.0})
    assert {row.chosen for row in given if isinstance(row, Preference)} == {"one", "two"}


def test_a_panel_keeps_its_disagreement() -> None:
    """Two judges in two wordings give four judgements of a comparison, each named, and together the weight of one."""
    panel = (ModelSpec(use="fake:it"), ModelSpec(use="fake:other"))
    samples = [Completion(prompt=PROMPTS[0], text=text, model="m", sample=n) for n, text in enumerate(("one", "two"))]
    given = list(
        labeler(judge=panel, wordings=("paper", "principle-last"))(
            context(score=scorer({"x": 2.0}), samples=samples, constitution=law(rule("x")))
        )
    )
    assert Counter(row.judge for row in given if isinstance(row, Judgement)) == {"fake:it": 2, "fake:other": 2}
    assert sum(row.weight for row in given if isinstance(row, Preference)) == pytest.approx(1)


def test_a_fitted_temperature_is_used_and_another_judges_is_refused(tmp_path: Path) -> None:
    """Log-odds of 2 at temperature 4 are 0.5; a file for another judge or method is an error, not a silent 1."""
    file = tmp_path / "t.json"
    file.write_text('{"judge": "fake:it", "method": "logprobs", "temperature": 4.0}')
    (label,) = [row for row in labels(law(rule("x")), {"x": 2.0}, calibration=file) if isinstance(row, Preference)]
    assert label.probability == pytest.approx(0.622459, abs=1e-6)
    file.write_text('{"judge": "someone else", "method": "logprobs", "temperature": 4.0}')
    with pytest.raises(CaifError, match="holds someone else by logprobs .paper., not fake:it by logprobs .paper."):
        labels(law(rule("x")), {"x": 2.0}, calibration=file)
