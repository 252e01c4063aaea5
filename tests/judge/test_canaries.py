"""Known answers among the real rows: found again, counted with an interval, and a judge that has died is noticed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from knowing import Knowing, pair

from caif.constitution import Case, Constitution, Principle
from caif.errors import FAILED, CaifError
from caif.judge import judge_all
from caif.judge.canaries import canaries, canary_report, mix, stop_if_dead, unmix
from caif.judge.probes import items

OURS = Principle(
    id="p",
    objective="o",
    critique="?",
    revision="!",
    compare="Which?",
    cases=(Case(prompt="Q?", better="x", worse="y"),),
)
LAW = Constitution(name="law", objectives={"o": "O."}, principles=(OURS,))
ROWS = [(pair(f"one {n}", f"other {n}"), OURS) for n in range(40)]


@given(st.integers(0, 40), st.integers(0, 60), st.integers(0, 9))
@settings(deadline=None, max_examples=50)
def test_mixing_and_unmixing_gives_every_row_back_in_order(rows: int, n: int, seed: int) -> None:
    """For any number of rows and canaries, none lost, none added, none out of order."""
    planted = canaries(LAW, seed, n)
    mixed = mix(ROWS[:rows], planted, seed)
    real, known = unmix(judge_all(Knowing().bench(), mixed), planted, seed)
    assert [j.comparison for j in real] == [c for c, _ in ROWS[:rows]]
    assert [j.comparison for j in known] == [probe.comparison for probe in planted]
    assert mix(ROWS[:rows], planted, seed) == mixed


def test_canaries_stand_among_the_rows_and_their_places_depend_on_the_seed() -> None:
    """Neither all first nor all last: a judge that dies half way has canaries on both sides."""
    planted = canaries(LAW, 0, 10)
    ids = {probe.comparison.id for probe in planted}
    places = [place for place, (c, _) in enumerate(mix(ROWS, planted, 0)) if c.id in ids]
    assert places[0] < 25 <= places[-1]
    assert places != [place for place, (c, _) in enumerate(mix(ROWS, planted, 1)) if c.id in ids]


def test_the_kinds_take_turns_and_the_constitutions_cases_come_last() -> None:
    """Ten canaries are two of each kind, and all on different questions."""
    assert [probe.check for probe in canaries(LAW, 0, 10)] == ["bad", "garbage", "truncated", "null", "injected"] * 2
    assert len({probe.comparison.prompt.id for probe in canaries(LAW, 0, 20)}) == 20
    everything = canaries(LAW, 0, 999)
    assert len(everything) == 5 * len(items(0)) + 1
    assert everything[-1].check == "cases"
    assert len({probe.comparison.id for probe in everything}) == len(everything)


def test_the_report_counts_with_a_wilson_interval() -> None:
    """All right: the interval of 20 of 20 begins at n / (n + z²) = 0.839."""
    planted = canaries(LAW, 0, 20)
    report = canary_report(planted, judge_all(Knowing().bench(), [probe.asked for probe in planted]))
    assert report["accuracy"] == {
        "mean": 1.0,
        "low": pytest.approx(20 / (20 + 1.959964**2), abs=1e-6),
        "high": 1.0,
        "n": 20,
    }
    assert report["kinds"]["null"] == {"right": 4, "n": 4}
    assert report["passed"]
    stop_if_dead(report, "ai-labeler")


@pytest.mark.parametrize("judge", [Knowing(lambda _: 0.0, lean=4.0), Knowing(lambda text: -len(text) / 50.0)])
def test_a_judge_below_the_bar_stops_its_source(judge: Knowing) -> None:
    """One that likes a place, and one that prefers what is short: code 1, with the numbers."""
    planted = canaries(LAW, 0, 20)
    report = canary_report(planted, judge_all(judge.bench(), [probe.asked for probe in planted]))
    with pytest.raises(
        CaifError, match=r"ai-labeler: \d+% of 20 known answers were judged right \(0% to \d+%\)|to \d+%\)"
    ) as stopped:
        stop_if_dead(report, "ai-labeler")
    assert stopped.value.code == FAILED


def test_failures_are_counted_and_are_not_right() -> None:
    """A server that went away is no judge; without any canary there is nothing to say."""
    planted = canaries(LAW, 0, 10)
    gone = Knowing().bench(min_mass=1.0)._replace(min_mass=2.0)
    report = canary_report(planted, judge_all(gone, [probe.asked for probe in planted]))
    assert (report["failures"], report["accuracy"]["mean"], report["passed"]) == (10, 0.0, False)
    assert canary_report([], [])["passed"]
