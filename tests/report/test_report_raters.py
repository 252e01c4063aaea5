"""The raters' section: hashes for people, every rater told or counted, disagreements with their reasons, text inert."""

from typing import Any

import pytest
from made_up import HOSTILE, made_up
from reading import ALLOWED, Reader

from caif.data import Comparison, Judgement, Preference, Prompt
from caif.raters.disagreements import disagreements
from caif.report import raters
from caif.report.gather import gather
from caif.report.numbers import numbers
from caif.report.page import page


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return numbers(gather(list(made_up(tmp_path_factory.mktemp("raters")).values())))


def test_people_stand_under_hashes(table: dict[str, Any]) -> None:
    """Neither the page nor its numbers name a person; the same person of another run has another hash."""
    people = [row["rater"] for row in table["raters"]["rows"] if row["person"]]
    assert len(people) == 2
    assert all(name.startswith("person ") for name in people)
    assert raters.hashed("r1", ["one run"]) != raters.hashed("r1", ["another"])
    assert {row["rater"] for row in table["raters"]["rows"] if not row["person"]} == {
        "fake:judge|short",
        "fake:judge|sure",
    }


def test_raters_over_the_limit_are_counted(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says how many have no row."""
    monkeypatch.setattr(raters, "SHOWN", 3)
    made = numbers(gather(list(made_up(tmp_path_factory.mktemp("more")).values())))
    assert (len(made["raters"]["rows"]), made["raters"]["more"]) == (3, 1)
    assert "1 more are not shown" in page(made)


def differing(text: str) -> list[dict[str, Any]]:
    """Return what the page is told of one disagreement in which every text ends in this one."""
    prompt = Prompt.of(f"What is rain?{text}")
    c = Comparison(prompt=prompt, a=f"Paint.{text}", b=f"Water.{text}")
    said = Judgement(
        comparison=c, principle=f"true{text}", objective="honesty", judge=f"j{text}", verdict="a", p_a=0.9, mass=0.9
    )
    pair = Preference(
        prompt=prompt,
        chosen=c.b,
        rejected=c.a,
        probability=1,
        objective="honesty",
        source=f"people{text}",
        rater=f"r{text}",
    )
    return [raters._principle(one) for one in disagreements([said], [pair], [], [])]


def test_disagreements_are_shown_with_reason_and_texts(table: dict[str, Any]) -> None:
    """What people prefer, to what, and what the judge made of it."""
    table = table | {"raters": table["raters"] | {"principles": differing("")}}
    text = Reader(page(table)).text
    for shown in (
        "true: 1 of 1 differ",
        "the constitution is silent or unclear",
        "What is rain?",
        "Water.",
        "Paint.",
        "10\xa0%",
    ):
        assert shown in text


def test_hostile_disagreements_stay_text(table: dict[str, Any]) -> None:
    """No text of a person, a judge or a principle becomes an element or an attribute."""
    shown = page(table | {"raters": table["raters"] | {"principles": differing(HOSTILE)}})
    reader = Reader(shown)
    assert not reader.open
    assert reader.tags <= ALLOWED
    assert shown.lower().count("<script") == 0
    assert "window.pwned" in reader.text
    assert "1337" not in shown


def test_the_page_says_how_far_people_agree(table: dict[str, Any]) -> None:
    """On things that several people gave a thumb, and two by two."""
    said = [((f"answer {n}",), rater, n % 2 == 0 or (rater == "r2" and n == 1)) for n in range(12) for rater in ("r1", "r2")]
    shown = page(table | {"raters": table["raters"] | {"agreement": {"thumbs": raters._agreement(said, "salt")}}})
    assert "Of 12 things on which several people gave thumbs, two people say the same" in shown
    assert "Cohen’s κ of person " in shown
