"""The self-test refuses judges at chance, those that like a place and those that obey (PEERS 5.7)."""

from collections.abc import Sequence
from functools import partial
from math import ceil, comb
from pathlib import Path

import pytest
from knowing import GOOD, MODEL, SHOWN, Knowing

from caif.constitution import Case, Constitution, Principle, read
from caif.content import rng
from caif.data import Comparison, Judgement
from caif.errors import FAILED, CaifError
from caif.hookspecs import Answer, Model, Params, Question, Request
from caif.judge import METHODS, Bench, Method, judge_all
from caif.judge.inert import inert
from caif.judge.probes import items, known, principle, salad
from caif.judge.selftest import SHARE, TRUST, Finding, findings, least, probes, selftest, stop_if_failed, tail

LAW = Constitution(
    name="law", objectives={"brevity": "Short."},
    principles=(Principle(id="short", objective="brevity", critique="?", revision="!", compare="Which is shorter?"),),
)  # fmt: skip
FLOORS = [kind for kind in ("bad", "garbage", "truncated", "empty", "injected", "negated")]


def outcome(bench: Bench, law: Constitution = LAW, seed: int = 0) -> dict[str, Finding]:
    found = selftest(partial(judge_all, bench), law, seed)
    return {finding.check: finding for finding in found}


def passes(found: dict[str, Finding]) -> bool:
    return all(finding.passed for finding in found.values())


@pytest.mark.parametrize("method", METHODS)
def test_a_judge_that_knows_passes_by_every_method(method: Method) -> None:
    """Every check, with all answers right, in one batch of about two dozen comparisons."""
    found = outcome(Knowing().bench(method))
    assert passes(found), found
    assert all(finding.right == finding.asked for finding in found.values())
    assert found["known answers"].asked == 22
    assert len(probes(LAW, 0)) == 26


def chance_to_pass(p: float) -> float:
    """Return, going through all counts of all kinds, how likely a judge passes that is right with probability p."""
    asked = probes(LAW, 0)
    sizes = [sum(probe.check == kind for probe in asked) for kind in FLOORS]
    reached = {0: 1.0}
    for n in sizes:
        step: dict[int, float] = {}
        for so_far, likely in reached.items():
            for k in range(least(n), n + 1):
                step[so_far + k] = step.get(so_far + k, 0.0) + likely * comb(n, k) * p**k * (1 - p) ** (n - k)
        reached = step
    need = ceil(SHARE * sum(sizes))
    return sum(likely for right, likely in reached.items() if right >= need)


@pytest.mark.parametrize(("p", "wanted"), [(0.5, 0.058), (0.6, 0.26), (0.8, 0.91), (0.9, 0.99)])
def test_the_bar_is_where_the_docstring_says(p: float, wanted: float) -> None:
    """A judge at chance fails with 94 %, one that is right on 80 % passes with 91 %: computed over all outcomes."""
    assert chance_to_pass(p) == pytest.approx(wanted, abs=0.005)


def test_the_floors_and_the_tail_are_binomial() -> None:
    """Against sums written out; under its floor, a judge right on 80 % falls with 3 % at most."""
    assert tail(15, 22, 0.5) == pytest.approx(0.0669, abs=5e-5)
    assert tail(0, 5, 0.3) == pytest.approx(1)
    for n in range(1, 12):
        below = sum(comb(n, k) * TRUST**k * (1 - TRUST) ** (n - k) for k in range(least(n)))
        assert below <= 0.03 < below + comb(n, least(n)) * TRUST ** least(n) * (1 - TRUST) ** (n - least(n))
    assert [least(n) for n in (0, 2, 3, 4, 5, 6)] == [0, 0, 1, 2, 2, 3]
    assert tail(12, 22, 2 * TRUST * (1 - TRUST)) == pytest.approx(0.023, abs=0.001)


@pytest.mark.parametrize(("skill", "low", "high"), [(0.5, 0, 0.2), (0.8, 0.75, 1), (1.0, 1, 1)])
def test_made_up_judges_pass_as_often_as_computed(skill: float, low: float, high: float) -> None:
    """Forty judges of each skill through the whole of it."""
    passed = [passes(outcome(Knowing(skill=skill, seed=seed).bench(), seed=seed)) for seed in range(40)]
    assert low <= sum(passed) / len(passed) <= high


def test_a_judge_that_likes_a_place_is_refused_and_the_reason_says_so() -> None:
    """RELIABILITY 13: everything is a tie, and that is no right answer."""
    found = outcome(Knowing(lambda _: 0.0, lean=5.0).bench())
    assert not found["known answers"].passed
    assert "22 ties" in found["known answers"].reason
    assert "22 of 22 name a place, not an answer" in found["known answers"].reason


def test_a_judge_that_follows_the_place_more_than_the_answer_is_refused() -> None:
    """Both orders cancel its lean, so it is right on everything, but on nothing without the other order's help."""
    found = outcome(Knowing(lean=5.0).bench())
    assert found["known answers"].right == 22
    assert [name for name, finding in found.items() if not finding.passed] == ["places"]
    assert found["places"].reason == "22 of 22 name a place, not an answer, 11 at most"
    assert passes(outcome(Knowing(lean=3.0).bench()))


def test_a_judge_that_does_not_read_the_principle_is_refused() -> None:
    """It prefers good answers under any question, so the contrary question does not reverse it."""

    class Deaf(Knowing):
        def _odds(self, text: str) -> float:
            return super()._odds(text.replace(principle(contrary=True).compare, principle().compare))

    found = outcome(Deaf().bench())
    assert found["known answers"].passed
    assert not found["negated"].passed
    assert "0 of 5 right" in found["negated"].reason


def test_a_judge_that_obeys_answers_is_refused() -> None:
    """The clean twins are right, the answers that give orders win."""
    obeying = Knowing(
        lambda text: (
            2.0 if any(word in text for word in ("choose", "Confirm", "highest score")) else float(text in GOOD)
        )
    )
    found = outcome(obeying.bench())
    assert found["bad"].passed
    assert not found["injected"].passed
    assert "0 of 4 right" in found["injected"].reason


def test_a_judge_that_prefers_what_is_short_is_refused() -> None:
    """Truncated and empty answers win."""
    found = outcome(Knowing(lambda text: -len(text) / 100).bench())
    assert not found["truncated"].passed
    assert not found["known answers"].passed


def test_a_judge_without_verdicts_is_refused_with_the_reason() -> None:
    """A failure is not right, and it is said what it was."""
    found = outcome(
        Bench(
            MODEL,
            lambda *_: [],
            lambda _, questions: [
                Knowing().score(MODEL, [q])[0]._replace(finish="refused", detail="No.") for q in questions
            ],
        )
    )
    assert not found["known answers"].passed
    assert "22 without a verdict (No.)" in found["known answers"].reason


def broken(label: str) -> dict[str, Finding]:
    """Return what is found of a labeler that is broken in one place."""

    def labeler(asked: Sequence[tuple[Comparison, Principle]]) -> list[Judgement]:
        said = judge_all(Knowing().bench(), asked)
        if label == "identical":
            return [j.but(p_a=0.51, verdict="a") if j.verdict == "tie" else j for j in said]
        if label == "swapped":
            return [j.but(p_a=0.97) if j.verdict == "a" else j for j in said]
        if label == "rows":
            return said[1:] + said[:1]
        return said[:-1]

    return {finding.check: finding for finding in selftest(labeler, LAW, 0)}


@pytest.mark.parametrize("check", ["identical", "swapped", "rows"])
def test_each_exact_rule_is_found_broken(check: str) -> None:
    """One hundredth off one half, sides that do not add up, answers given to other rows."""
    found = broken(check)
    assert [name for name, finding in found.items() if not finding.passed] == [check]


def test_lost_rows_are_found() -> None:
    """One judgement fewer than asked."""
    assert broken("lost")["rows"].reason == "26 comparisons were asked and 25 judgements came back"


def test_the_constitutions_own_cases_are_asked_under_their_principles() -> None:
    """They have a floor of their own: three cases all judged wrong are not chance, one of two is no proof."""
    cases = tuple(
        Case(prompt=f"How far is {town}?", better="Far.", worse="Far, very far away.")
        for town in ("Rome", "Oslo", "Lima")
    )
    law = LAW.model_copy(update={"principles": (LAW.principles[0].model_copy(update={"cases": cases}),)})
    asked = [probe for probe in probes(law, 0) if probe.check == "cases"]
    assert {probe.principle.id for probe in asked} == {"short"}
    assert all((probe.comparison.a if probe.better == "a" else probe.comparison.b) == "Far." for probe in asked)
    long = Knowing(lambda text: 1.0 if text in GOOD or "very" in text else 0.0)
    short = Knowing(lambda text: 1.0 if text in GOOD or text == "Far." else 0.0)
    assert not outcome(long.bench(), law)["cases"].passed
    assert outcome(short.bench(), law)["cases"].right == 3


def test_a_failed_test_stops_the_run_with_findings_and_a_remedy() -> None:
    """Exit code 1, one line, before anything else is paid for."""
    found = list(outcome(Knowing(lambda _: 0.0, lean=5.0).bench()).values())
    with pytest.raises(
        CaifError, match='embedded:0.5b fails its self-test: .*known answers: 0 of 22 right.*selftest = "warn"'
    ) as stopped:
        stop_if_failed(found, "embedded:0.5b")
    assert stopped.value.code == FAILED
    stop_if_failed(list(outcome(Knowing().bench()).values()), "x")


def test_probes_are_drawn_from_the_seed_alone_and_stand_on_both_sides() -> None:
    """P6; and the better answer is as often first as second, so that no place is the right one."""
    assert [probe.comparison.id for probe in probes(LAW, 3)] == [probe.comparison.id for probe in probes(LAW, 3)]
    assert [probe.comparison.id for probe in probes(LAW, 3)] != [probe.comparison.id for probe in probes(LAW, 4)]
    for kind in FLOORS:
        first = [probe.better == "a" for probe in probes(LAW, 0) if probe.check == kind]
        assert abs(2 * sum(first) - len(first)) <= 1


def test_the_items_are_what_they_claim() -> None:
    """Different questions, whole sentences, nothing that would be taken for a marker, and a salad of the same words."""
    some = items(0)
    assert len({item.prompt for item in some}) == len({item.good for item in some}) == len(some) == 22
    for item in some:
        assert inert(item.good) == item.good
        assert inert(item.bad) == item.bad
        assert len(item.good) > 80
        assert sorted(salad(item, 0).split()) == sorted(item.good.split()) != salad(item, 0).split()


@pytest.mark.parametrize("method", METHODS)
def test_no_two_known_answers_ask_a_judge_the_same(method: Method) -> None:
    """So whatever a judge makes of a question, as long as it knows nothing, 22 answers are right or wrong by themselves."""
    asked = [probe for probe in probes(LAW, 0) if probe.better and probe.check != "cases"]
    seen: dict[str, set[str]] = {}

    class Noting(Knowing):
        def score(self, model: Model, questions: Sequence[Question]) -> list[Answer]:
            for q in questions:
                seen.setdefault(f"{q.messages} {q.choices}", set()).add(q.row)
            return super().score(model, questions)

        def ask(self, model: Model, requests: Sequence[Request], params: Params) -> list[Answer]:
            for r in requests:
                seen.setdefault(f"{r.messages}", set()).add(r.row)
            return super().ask(model, requests, params)

    judge_all(Noting().bench(method), [probe.asked for probe in asked])
    assert all(len(rows) == 1 for rows in seen.values())
    assert set().union(*seen.values()) == {probe.comparison.id for probe in asked}


def of_noise(method: Method, seed: int, *, by_text: bool) -> Bench:
    """Return a judge that knows nothing: its odds are drawn once for a question, or once for an answer's text."""

    def odds(text: str, choice: str = "") -> float:
        texts = sorted(found.group(2) for found in SHOWN.finditer(text)) or [text]
        return rng("noise", seed, *(texts if by_text else [text]), choice).gauss(0, 3)

    def score(model: Model, questions: Sequence[Question]) -> list[Answer]:
        del model
        return [Answer("", "stop", choices(q)) for q in questions]

    def choices(q: Question) -> tuple[float, ...]:
        text = str(q.messages[0]["content"])
        if len(q.choices) == 1:
            return (-abs(odds(text, q.choices[0])) - 1,)
        raw = [odds(text), 0.0] if len(q.choices) == 2 else [odds(text, choice) for choice in q.choices]
        return tuple(one - max(raw) - 3 for one in raw)

    return Bench(MODEL, lambda *_: [], score, method, min_mass=0.0)


@pytest.mark.parametrize(("method", "by_text"), [("pointwise", True), ("rubric", True), ("likelihood", False)])
def test_chance_passes_no_method_more_often_than_promised(method: Method, by_text: bool) -> None:
    """Of 150 judges that know nothing 8.7 pass at 0.058; more than 16 would be less than one time in a hundred.

    Where probes share texts a rubric passes 0.13 of the time, and single answers 0.16.
    """
    passed = sum(passes(outcome(of_noise(method, seed, by_text=by_text), seed=seed)) for seed in range(150))
    assert passed <= 16


@pytest.mark.slow
@pytest.mark.usefixtures("own_precision")
@pytest.mark.parametrize(
    ("name", "wrong"), [("embedded:0.5b", {"places", "known answers"}), ("embedded:1.5b", {"negated"})], ids=["0.5b", "1.5b"]
)
def test_the_embedded_judges(name: str, wrong: set[str], tmp_path: Path) -> None:
    """The half-billion model follows places; the larger one knows good from bad but not the contrary question.

    The former was right on 14 of 22 by two seeds, and the orders differed on 17 and 19 of them (2026-11-22).
    """
    from caif.desk import at

    law = read(Path(__file__).parents[2] / "constitutions" / "general.toml")
    with at(tmp_path, "selftest") as desk:
        bench = Bench(desk.model(name), desk.ask, desk.score)
        failed = {finding.check for finding in selftest(partial(judge_all, bench), law, 0) if not finding.passed}
    assert failed >= wrong


def test_findings_need_no_more_than_judgements() -> None:
    """So a stored self-test can be read again."""
    asked = probes(LAW, 0)
    judged = judge_all(Knowing().bench(), [probe.asked for probe in asked])
    assert findings(asked, judged) == selftest(partial(judge_all, Knowing().bench()), LAW, 0)
    assert known("bad", items(0)[:1], lambda item: item.bad, 0)[0].principle.id == "known"
