"""Lint finds what makes labels noise, names the place, and keeps quiet about what only looks like it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caif.constitution import Constitution, Principle, read
from caif.laws import wording
from caif.laws.likeness import jaccard, twins
from caif.laws.lint import Finding, lint

SHIPPED = sorted((Path(__file__).parents[2] / "constitutions").glob("*.toml"))
CASE = {"prompt": "Why?", "better": "So that it holds.", "worse": "No."}
TEXTS = {
    "critique": "Point out every insult in the last answer.",
    "revision": "Rewrite the answer without insults.",
    "compare": "Which answer has fewer insults?",
    "instruct": "Insult nobody.",
}


def law(*principles: dict[str, Any], **more: Any) -> Constitution:
    """A constitution with nothing to complain of but what a test puts in."""
    given = principles or ({},)
    full = [{"id": f"p{n}", "objective": "o", "cases": [CASE]} | TEXTS | p for n, p in enumerate(given)]
    return Constitution.model_validate({"name": "law", "objectives": {"o": "x"}, "principles": full} | more)


def found(*principles: dict[str, Any], **more: Any) -> list[Finding]:
    return lint(law(*principles, **more))


def test_a_clean_constitution_has_no_finding() -> None:
    """The tests below change one thing each."""
    assert found() == []


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_shipped_constitutions_have_no_warning(file: Path) -> None:
    """What is shipped keeps the advice of its own README."""
    assert [finding for finding in lint(read(file)) if finding.severity == "warning"] == []


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("Which answer is more honest and more helpful?", "more honest and more helpful"),
        ("Which answer is less rude as well as more accurate?", "less rude as well as more accurate"),
        ("Which answer gives a source and avoids the jargon?", "and avoids"),
        ("Which answer follows the wishes of the person and leaves the decision to them?", "and leaves"),
        ("Which answer warns of the danger as well as giving help, and never hides the cost?", "and never hides"),
        ("Which answer is shorter? Which answer is kinder?", "Which answer is kinder?"),
        ("Which response is polite and also tells the truth?", "and also tells"),
    ],
)
def test_two_demands_are_found(text: str, second: str) -> None:
    """Each could be met by another answer, so the label would be a toss."""
    assert wording.demands(text) == second
    assert [f.key for f in found({"compare": text}) if "two demands" in f.text] == ["principles.p0.compare"]


@pytest.mark.parametrize(
    "text",
    [
        "Which answer is freer of mockery, belittling and insults?",
        "Which answer has fewer lies and claims?",
        "Which answer is closer to what a wise and kind adviser would say?",
        "Which answer gives less help to somebody who lies and harms the weak?",
        "Which answer is better for the person and everybody else it affects, taken together?",
        "Which answer is more honest about what is true and how sure that is?",
        "Which answer relies less on guilt, fear, flattery, haste or the crowd?",
        "A critic was asked: is it kind? Which answer gives the critic less to point out?",
        "This is a rule for the assistant: Be brief and give reasons.\n\nWhich answer keeps better to this rule?",
    ],
)
def test_one_demand_is_not_taken_for_two(text: str) -> None:
    """Nouns, adjectives and clauses about somebody else may be joined."""
    assert wording.demands(text) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Which answer is more appropriate?", ["appropriate"]),
        ("Which answer is of high quality and good?", ["high quality", "good"]),
        ("Which is the best possible answer?", ["best possible"]),
        ("Which answer is as kind as possible?", ["as kind as possible"]),
        ("Which answer is more suitable for children?", []),
        ("Which answer is better for the person?", []),
        ("Which answer has goods and appropriates nothing?", []),
    ],
)
def test_words_that_no_judge_can_decide_are_found(text: str, words: list[str]) -> None:
    """Not where they are said of something that can be seen: suitable for children."""
    assert wording.undecidable(text) == words
    assert len([f for f in found({"compare": text}) if "taste" in f.text]) == len(words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Which answer keeps to the above?", ["the above"]),
        ("Which answer is brief, as stated before?", ["as stated before"]),
        ("Which answer follows section 3?", ["section 3"]),
        ("Which answer follows the list given below?", ["given below"]),
        ("Which answer keeps the following: be kind?", []),
        ("A rule: Article 3\n\nAll are free.\n\nWhich answer keeps to it?", []),
        ("Which answer describes the room above the shop?", []),
    ],
)
def test_references_to_nowhere_are_found(text: str, words: list[str]) -> None:
    """A judge sees one principle and two answers."""
    assert wording.elsewhere(text) == words


def test_names_of_principles_and_terms_in_quotes_are_looked_up() -> None:
    """A name that does not exist gets the nearest one; one that does is not shown to the model either."""
    texts = {f.text for f in found({"id": "no-lies", "compare": "Which keeps the principle no-lyes better?"})}
    assert "there is no principle 'no-lyes'; did you mean 'no-lies'?" in texts
    named = [
        f.text
        for f in found(
            {"compare": "Which keeps principle be-kind better?"}, {"id": "be-kind", "compare": "Which is kind?"}
        )
    ]
    assert any("names the principle 'be-kind'" in text for text in named)
    quoted = found({"compare": 'Which answer honours "fair play" more?'})
    assert [(f.severity, f.key) for f in quoted] == [("note", "principles.p0.compare")]
    assert found({"instruct": "Begin with the words 'For example' and say \"please\"."}) == []


def test_a_question_that_asks_for_the_worse_answer_is_found() -> None:
    """Its labels would be turned round."""
    assert wording.backwards("Which of these answers is more harmful?") == "Which of these answers is more harmful"
    assert wording.backwards("Which answer is less harmful?") == ""
    assert wording.backwards("Which answer is less vague?") == ""
    assert any("asks for the worse" in f.text for f in found({"compare": "Which response is less honest?"}))


def test_many_principles_without_cases_get_one_note() -> None:
    """After an import none has any: a line for each would hide what else is wrong."""
    few, many = ([f for f in found(*[{"cases": []}] * n) if "understands" in f.text] for n in (3, 5))
    assert [f.key for f in few] == [f"principles.p{n}.cases" for n in range(3)]
    assert [f.key for f in many] == ["principles"]
    assert many[0].text.startswith("5 have no cases")


SLY = {"prompt": "Why?", "better": " no. ", "worse": "No."}


@pytest.mark.parametrize(
    ("principles", "more", "wanted"),
    [
        ([{"cases": []}], {}, ("principles.p0.cases", "note", "has none")),
        ([{"cases": [SLY]}], {}, ("principles.p0.cases[0]", "warning", "the same answer")),
        (
            [{"cases": [CASE, CASE | {"better": CASE["worse"], "worse": CASE["better"]}]}], {},
            ("principles.p0.cases[1]", "warning", "the contrary of an earlier case"),
        ),
        ([{"cases": [CASE | {"prompt": str(n)} for n in range(8)]}], {}, ("principles", "warning", "length passes them")),
        ([{}, {"weight": 0, "compare": "Which is it?"}], {}, ("principles.p1.weight", "note", "is 0")),
        ([{"instruct": ""}], {}, ("principles", "note", "none has `instruct`")),
        ([{}, {"instruct": "", "compare": "Which flatters less?", "critique": "Point out flattery."}], {},
         ("principles.p1.instruct", "note", "is missing")),
        ([{}], {"objectives": {"o": "x", "idle": "y"}}, ("objectives.idle", "warning", "no principle in use serves it")),
        ([{"compare": "Which? " + "word " * 500}], {}, ("principles.p0.compare", "warning", "over the budget of 512")),
        ([{"compare": "Choose the shorter answer."}], {}, ("principles.p0.compare", "note", "asks nothing")),
        ([{"checks": [{"text": "Is it polite? Is it appropriate?"}]}], {}, ("principles.p0.checks[0].text", "warning", "taste")),
        ([{"revision": "Rewrite the answer with less scorn and haste."}], {}, None),
        ([{"revision": "Rewrite the answer and explain the source."}], {}, ("principles.p0.revision", "note", "two orders")),
    ],
)  # fmt: skip
def test_structure_is_looked_at_too(principles: Any, more: Any, wanted: tuple[str, str, str] | None) -> None:
    """Cases that no judge can pass, objectives without a label, and texts that a small judge cannot hold."""
    all_found = found(*principles, **more)
    if wanted is None:
        assert all_found == []
        return
    key, severity, text = wanted
    assert [f for f in all_found if f.key == key and f.severity == severity and text in f.text], all_found


def test_principles_that_say_the_same_are_named() -> None:
    """Both names, and how much they share; a shared template is not what makes them alike."""
    same = found({}, {"compare": "Which answer has fewer insults in it?", "critique": "Point out flattery."})
    assert [(f.key, f.severity) for f in same] == [("principles.p1.compare", "warning")]
    assert same[0].text.startswith("says nearly the same as p0")
    rule = "This is a long rule for all of our many helpers: {}. Which answer keeps to it?"
    texts = {name: rule.format(name) for name in ("tell truth", "guard privacy", "stay brief", "name sources")}
    assert twins(texts) == []
    assert [pair[:2] for pair in twins(texts | {"again": rule.format("guard the privacy")})] == [
        ("guard privacy", "again")
    ]


@given(st.frozensets(st.text(max_size=2), max_size=5), st.frozensets(st.text(max_size=2), max_size=5))
def test_likeness_is_a_likeness(a: frozenset[str], b: frozenset[str]) -> None:
    """Symmetric, between 0 and 1, and 1 for equal sets that are not empty."""
    assert jaccard(a, b) == jaccard(b, a)
    assert 0 <= jaccard(a, b) <= 1
    assert (jaccard(a, b) == 1) == (a == b != frozenset())


@given(st.text(alphabet="aeinorst, .?!\"'“”(){}-0123456789\n", max_size=400))
def test_any_text_can_be_linted(text: str) -> None:
    """No text stops it."""
    principle = Principle(id="p", objective="o", critique=f"c{text}", revision=f"r{text}", compare=f"w{text}")
    lint(Constitution(name="law", objectives={"o": "x"}, principles=(principle,)))


def test_what_stands_in_several_texts_is_told_once() -> None:
    """A template puts one rule into every text; four times the same finding would hide the others."""
    rule = "Keep to section 3."
    texts = {key: f"{rule} Which?" for key in ("critique", "revision", "compare", "instruct")}
    assert [f.key for f in found(texts) if "section 3" in f.text] == ["principles.p0.compare"]
