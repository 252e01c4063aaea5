"""The page of a card: the same for the same card, whole whatever is missing, and inert whatever stands in it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from audit_fakes import LAW, judgement, knowing, pairs

from caif.audit.card import card
from caif.audit.gates import check, numbers, parse
from caif.audit.honesty import Evidence
from caif.audit.judges import Asked, ask, judge_card
from caif.audit.people import read_pairs
from caif.audit.tested import of_findings, of_sources, sentences
from caif.audit.write import card_page, print_card, write_card
from caif.data import Tested
from caif.errors import CaifError
from caif.judge.selftest import Finding
from caif.report.gather import SourceRows

GOLDEN = Path(__file__).parent / "golden" / "card.html"
HOSTILE = "</style><script>window.pwned=1</script><img src=x onerror=alert(1)>{{ 7 * 191 }}\u202e\u200b\x1b[31m[/red]"


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    """The card of a judge that leans and is mostly right, by two methods of which one has nothing to say."""
    asked = Asked({"caif:pairs.jsonl": read_pairs(pairs(80, 2), 0)}, LAW, ("true", "short"))
    modes = ask(knowing(0.7, lean=1.5), ["logprobs", "rubric"], asked)
    made = judge_card(modes._replace(unavailable={"likelihood": "it has no means for it"}), asked, draws=300, given_ceiling=0.8)
    subject = {"judge": "fake:judge", "model": "fake:judge", "constitution": "law 1", "digest": LAW.digest}
    tests = of_findings([
        ("fake:judge by logprobs, wording paper", [Finding("bad", True, "5 of 5 right", 5, 5)]),
        ("fake:judge by rubric, wording paper", [Finding("bad", False, "1 of 5 right, 2 needed", 1, 5)]),
    ])  # fmt: skip
    found = {"title": "The judge fake:judge", "subject": subject, **made, "selftest": tests}
    found["cautions"] = [*sentences(tests), *found["cautions"]]
    return found | {"gates": [o._asdict() for o in check(found, [parse("flip_rate>0.15"), parse("ece>0.9")])]}


def test_the_page_is_the_golden_one(table: dict[str, Any], same_as: Callable[[Path, str], None]) -> None:
    """The same card gives the same page; a change of it is seen in a diff."""
    same_as(GOLDEN, card_page(table))


def test_what_is_read_back_gives_the_same_page(table: dict[str, Any], tmp_path: Path) -> None:
    """card.json holds all that card.html shows, in ASCII."""
    write_card(tmp_path, table)
    text = (tmp_path / "card.json").read_text(encoding="ascii")
    assert (tmp_path / "card.html").read_text(encoding="utf-8") == card_page(json.loads(text)) == card_page(table)


@pytest.mark.parametrize("verdicts", [["a"], ["a", "b", "tie"] * 9, ["error"] * 3, ["not_applicable", "a"]])
@pytest.mark.parametrize("people", [(), (0,), (2,), (0, 1, 1)])
def test_it_renders_whatever_was_judged(verdicts: list[str], people: tuple[int, ...], tmp_path: Path) -> None:
    """Nobody's word, ties alone, failures alone, one judgement alone; on the page and on the terminal."""
    rows = [Evidence(judgement(v, prompt=f"Why {n}?"), people) for n, v in enumerate(verdicts)]
    made = {"title": "Labels", "subject": {"run": "demo", "stage": ""}, **card(rows, draws=30), "people": {"ceiling": None, "pairs": 0}}
    page = card_page(made)
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(drawing)
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL).lower().split()
    print_card(made, tmp_path)


def test_nothing_from_data_is_markup() -> None:
    """Names of principles, judges, files and reasons are text."""
    rows = [Evidence(judgement("invalid", principle=HOSTILE, judge=HOSTILE, source=HOSTILE, method=HOSTILE, reason=HOSTILE)),
            Evidence(judgement("a", principle="x"), (0,))]  # fmt: skip
    made = {"title": HOSTILE, "subject": {"run": HOSTILE}, **card(rows, draws=20), "people": {"ceiling": None, "pairs": 0}}
    page = card_page(made | {"unavailable": {HOSTILE: HOSTILE}, "gates": [{"gate": HOSTILE, "failed": True, "said": HOSTILE}]})
    assert page.lower().count("<script") == 0 and "<img" not in page and "1337" not in page
    assert not re.findall("[\u200b-\u200f\u202a-\u202e\x00-\x08\x0b-\x1f]", page)
    assert "window.pwned" in page


def test_every_number_of_a_card_has_a_name(table: dict[str, Any]) -> None:
    """What is overall goes without that word; an estimate's name is its mean's, its ends and count stand beside it."""
    known = numbers(table)
    accuracy = table["overall"]["accuracy"]
    assert [known[f"accuracy{end}"] for end in ("", ".low", ".high", ".n")] == [
        accuracy[name] for name in ("mean", "low", "high", "n")
    ]
    assert known["methods.logprobs.flip_rate"] == table["methods"]["logprobs"]["flip_rate"]["mean"]
    assert known["principles.true.mass.median"] == table["principles"]["true"]["mass"]["median"]
    assert known["temperatures.logprobs.temperature"] == table["temperatures"]["logprobs"]["temperature"]
    assert known["self_consistency"] is None and known["verdicts.not_applicable"] == 160
    assert all(isinstance(value, (int, float)) or value is None for value in known.values())


def test_a_verdict_that_nobody_gave_is_none_of_them() -> None:
    """Not a number that is missing: a bound on errors is kept where there are none."""
    outcomes = check({"overall": {"verdicts": {"a": 3}}}, [parse("verdicts.error>0"), parse("verdicts.a>2")])
    assert [outcome.failed for outcome in outcomes] == [False, True]


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("draws>299", True), ("draws>300", False), ("draws>=300", True), ("draws<300", False), ("draws<=300", True),
        ("draws==300", True), ("draws!=300", False), (" draws > 3e2 ", False), ("draws<-.5", False),
    ],
)  # fmt: skip
def test_gates_compare(table: dict[str, Any], text: str, failed: bool) -> None:
    """A gate fails where what it says is true."""
    (outcome,) = check({"overall": {"draws": table["draws"]}}, [parse(text)])
    assert outcome.failed is failed and outcome.said == "draws is 300"


def test_the_judges_of_a_runs_sources_are_told_apart() -> None:
    """One that passed, one whose rows speak against it, one that nobody tested; gates can name their numbers."""
    made: Any = type("Made", (), {"stage": "mine", "facts": {}})()
    about = {"right": 0, "asked": 3, "source": "mine"}
    tests = [Tested(judge="one by logprobs, wording paper", check="bad", passed=True, reason="", **about),
             Tested(judge="two by votes", check="one place", passed=False, reason="a is always preferred", **about)]  # fmt: skip
    rows = [judgement(judge="one"), judgement(judge="two", method="votes"), judgement(judge="three")]
    found = of_sources([SourceRows(made, [], [], rows, tests)])
    assert {row["judge"]: row["passed"] for row in found["judges"]} == {
        "one by logprobs, wording paper": True, "two by votes": False, "three by logprobs": None,
    }  # fmt: skip
    assert sentences(found) == [
        "two by votes (mine) fails one place: a is always preferred.", "three by logprobs (mine) was not tested on known answers.",
    ]  # fmt: skip
    (gate,) = check({"overall": {}, "selftest": found}, [parse("selftest.failed>0")])
    assert gate.failed and gate.said == "selftest.failed is 1"


def test_what_is_missing_fails_its_gate_and_says_why(table: dict[str, Any]) -> None:
    """Down to the parts of what is missing; but a name that no card has is an error."""
    outcomes = check(table, [parse("self_consistency<0"), parse("methods.rubric.accuracy.low>2"), parse("methods.rubric.flip_rate>2")])
    assert [outcome.failed for outcome in outcomes] == [True] * 3
    assert "only votes" in outcomes[0].said and "people decided no pair" in outcomes[1].said
    assert "both orders" in outcomes[2].said
    with pytest.raises(CaifError, match="did you mean 'flip_rate'"):
        check(table, [parse("flip_rte>1")])
