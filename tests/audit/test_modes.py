"""Which mode is recommended, how often by mistake, and what a fitted temperature does."""

import math
from random import Random

import pytest
from audit_fakes import LAW, judgement, knowing, pairs

from caif.audit.agreement import Labelled
from caif.audit.honesty import Evidence, calibration, log_odds, scaled, share_of_a
from caif.audit.judges import Asked, ask, judge_card
from caif.audit.modes import NONE, comparisons, recommend
from caif.audit.people import read_pairs
from caif.content import rng
from caif.errors import CaifError


def labels(n: int, right: float, chance: Random, per_prompt: int = 1) -> list[Labelled]:
    rows = []
    for i in range(n):
        truth = chance.randrange(2)
        rows.append(Labelled(str(i // per_prompt), truth if chance.random() < right else 1 - truth, (truth,)))
    return rows


def test_a_judge_at_chance_is_recommended_in_at_most_one_audit_of_twenty() -> None:
    """Four modes that toss coins, 100 audits: the mode that looks best is not taken for a good one."""
    mistakes = 0
    for seed in range(100):
        chance = Random(seed)
        modes = {name: labels(60, 0.5, chance) for name in "abcd"}
        mistakes += recommend(modes, 60, 300, seed)["method"] is not None
    assert mistakes <= 9  # 5 are allowed for on average; more than 9 would come once in thirty-five by chance alone


def test_a_judge_that_is_right_four_times_of_five_is_recommended() -> None:
    """With 60 pairs nearly always, and by the mode that is right more often."""
    found = [
        recommend({"good": labels(60, 0.8, Random(s)), "coin": labels(60, 0.5, Random(-s - 1))}, 60, 300, s)["method"]
        for s in range(40)
    ]
    assert found.count("good") >= 38


def test_all_right_on_a_handful_is_not_enough() -> None:
    """The bootstrap of a few hits has no width; Wilson's interval has."""
    rows = [Labelled(str(n), 0, (0,)) for n in range(10)]
    assert recommend({"m": rows}, 3, 200, 0)["method"] is None
    assert recommend({"m": rows}, 10, 200, 0)["method"] == "m"
    few = recommend({"m": rows[:9]}, 9, 200, 0)
    assert few["method"] is None and "too few" in few["why"]


def test_a_mode_that_says_nothing_on_most_pairs_is_not_recommended() -> None:
    """However right it is where it speaks."""
    rows = [Labelled(str(n), 0 if n < 30 else None, (0,)) for n in range(100)]
    found = recommend({"shy": rows}, 100, 200, 0)
    assert found["method"] is None and "says nothing" in found["why"]
    assert recommend({"wrong": [Labelled(str(n), 1, (0,)) for n in range(50)]}, 50, 200, 0)["why"] == NONE


def test_modes_are_compared_pair_by_pair_with_the_better_one_first() -> None:
    """Every two of them once."""
    chance = Random(1)
    modes = {"low": labels(100, 0.5, chance), "high": labels(100, 0.9, chance), "mid": labels(100, 0.7, chance)}
    found = comparisons(modes, 200, 0)
    assert [(row["one"], row["other"]) for row in found] == [("high", "low"), ("mid", "low"), ("high", "mid")]
    assert all(row["difference"]["mean"] >= 0 for row in found)


def evidence(n: int, factor: float) -> list[Evidence]:
    """Return judgements whose log-odds are the true ones times a factor."""
    rows = []
    for i in range(n):
        chance = rng("evidence", i)
        true = chance.gauss(0, 1.5)
        says_a = chance.random() < 1 / (1 + math.exp(-true))
        said = factor * true
        verdict = "a" if said > 0 else "b"
        row = judgement(verdict, prompt=f"Why {i}?", p_a=1 / (1 + math.exp(-said)), logit_ab=said + 0.5, logit_ba=said - 0.5)
        rows.append(Evidence(row, (0 if says_a else 1,)))
    return rows


@pytest.mark.parametrize("factor", [4.0, 0.5])
def test_a_temperature_undoes_what_made_a_judge_too_sure_or_too_modest(factor: float) -> None:
    """Log-odds that are too large by a factor are divided by it; on the prompts kept apart the loss falls."""
    found = scaled(evidence(3000, factor), 0)
    assert found["temperature"] == pytest.approx(factor, rel=0.15)
    assert not found["edge"]
    assert found["after"]["log_loss"] < found["before"]["log_loss"]
    assert found["after"]["ece"] < found["before"]["ece"]
    assert found["fitted_on"]["prompts"] + found["measured_on"]["prompts"] == 3000


def test_halves_are_split_by_prompt() -> None:
    """Pairs of one prompt never lie on both sides."""
    rows = [Evidence(judgement("a", prompt=f"Why {n % 7}?", a=f"one {n}", logit_ab=1.0), (n % 2,)) for n in range(210)]
    found = scaled(rows, 0)
    assert found["fitted_on"]["pairs"] == 30 * found["fitted_on"]["prompts"]
    assert found["fitted_on"]["prompts"] + found["measured_on"]["prompts"] == 7
    assert scaled(rows[:30], 0)["temperature"] is None
    assert "it takes 20" in scaled(rows[:30], 0)["why"]


def test_a_judge_at_chance_has_no_temperature_to_store() -> None:
    """The flatter the better, without end: the fit runs to the edge and says so."""
    rows = [Evidence(judgement("a" if n % 2 else "b", prompt=f"Why {n}?", logit_ab=3.0 if n % 2 else -3.0), (1 if n % 2 else 0,))
            for n in range(100)]  # fmt: skip
    assert scaled(rows, 0)["edge"]


def test_calibration_against_a_loop() -> None:
    """Brier score and log-loss of p_a, for raters who disagree too."""
    rows = [*evidence(50, 1.0), Evidence(judgement("a", prompt="x", p_a=0.9), (0, 1, 2, 0)), Evidence(judgement("error"), (0,)),
            Evidence(judgement("a"), ())]  # fmt: skip
    found = calibration(rows, 100, 0)
    used = rows[:51]
    assert share_of_a(used[50]) == 0.625
    brier = sum((e.judgement.p_a - share_of_a(e)) ** 2 for e in used) / 51
    loss = -sum(share_of_a(e) * math.log(e.judgement.p_a) + (1 - share_of_a(e)) * math.log(1 - e.judgement.p_a) for e in used) / 51
    assert found["brier"]["mean"] == pytest.approx(brier)
    assert found["log_loss"] == pytest.approx(loss)
    assert sum(bin_["n"] for bin_ in found["reliability"]) == 51
    assert calibration([], 10, 0)["ece"] is None
    assert math.isfinite(log_odds(1.0)) and log_odds(0.5) == 0.0


def test_a_judge_that_only_likes_the_first_place_is_at_chance_and_said_to_be_biased() -> None:
    """Every comparison flips, every verdict is a tie, half of them are right, and no mode is recommended."""
    asked = Asked({"file": read_pairs(pairs(40), 0)}, LAW, ("true",))
    table = judge_card(ask(knowing(1.0, strength=0.0, lean=3.0), ["logprobs"], asked), asked, draws=200)
    overall = table["overall"]
    assert overall["position_bias"]["mean"] == overall["flip_rate"]["mean"] == overall["ties"]["mean"] == 1.0
    assert overall["accuracy"]["mean"] == 0.5 and table["recommendation"]["method"] is None
    assert any("different verdicts in 100%" in said for said in table["cautions"])


def test_every_mode_judges_the_same_pairs_in_one_order() -> None:
    """Logprobs and pointwise of a judge that scores; what a method cannot do is a reason, and alone an error."""
    asked = Asked({"file": read_pairs(pairs(12, 2), 0)}, LAW, ("true", "short"))
    modes = ask(knowing(0.8), ["logprobs", "rubric"], asked)
    one, other = modes.evidence["logprobs"], modes.evidence["rubric"]
    assert [(e.judgement.comparison.id, e.judgement.principle) for e in one] == [
        (e.judgement.comparison.id, e.judgement.principle) for e in other
    ]
    assert {e.judgement.verdict for e in other} == {"not_applicable"}  # the principles have no checks
    assert {e.judgement.source for e in one} == {"file"}
    table = judge_card(modes, asked, draws=100, given_ceiling=0.7)
    assert table["methods"]["rubric"]["accuracy"] is None and table["methods"]["rubric"]["abstained"]["mean"] == 1.0
    assert table["people"]["given_ceiling"] == 0.7
    assert table["comparisons"][0]["difference"] is None
    with pytest.raises(CaifError, match="no principle serves"):
        ask(knowing(0.8), ["logprobs"], Asked({"file": read_pairs([row.but(objective="taste") for row in pairs(3)], 0)}, LAW))
