"""What judgements say of their judge, counted by hand and against judges that are made to have one fault."""

import math

import numpy as np
import pytest
from audit_fakes import TRUE, judgement, knowing, pairs

from caif.audit.calibration import calibration_error, calibration_noise, reliability
from caif.audit.judgements import behaviour
from caif.audit.length import STEEPEST, length_slope
from caif.audit.people import oriented
from caif.data import Comparison, Prompt
from caif.judge import judge_all
from caif.models.account import Price


def rates(**fields: object) -> dict[str, float | None]:
    found = behaviour([judgement(prompt=f"Why {n}?", **fields) for n in range(4)], 50, 0)
    return {name: value["mean"] if isinstance(value, dict) and "mean" in value else value for name, value in found.items()}


def test_a_judge_that_likes_the_first_place_is_told_from_one_that_likes_the_second() -> None:
    """The log-odds of a are above 0 where a stands first and below where it stands second, or the other way round."""
    first = rates(verdict="tie", logit_ab=2.0, logit_ba=-2.0, flipped=True)
    assert (first["flip_rate"], first["position_bias"], first["position_bias_second"]) == (1.0, 1.0, 0.0)
    assert (first["position_lean"], first["ties"]) == (2.0, 1.0)
    second = rates(logit_ab=-1.0, logit_ba=2.0, flipped=True)
    assert (second["flip_rate"], second["position_bias"], second["position_bias_second"]) == (1.0, 0.0, 1.0)
    assert second["position_lean"] == -1.5
    sound = rates(logit_ab=1.0, logit_ba=3.0, flipped=False)
    assert (sound["flip_rate"], sound["position_bias"], sound["position_lean"]) == (0.0, 0.0, -1.0)


def test_a_lean_is_measured_as_it_is() -> None:
    """A judge whose log-odds are content 1 and lean 2 flips every time and leans by 2 nats; none of it reaches p_a."""
    asked = [(oriented(row, 0)[0], TRUE) for row in pairs(30)]
    found = behaviour(judge_all(knowing(1.0, 1.0, lean=2.0), asked), 50, 0)
    assert found["flip_rate"]["mean"] == found["position_bias"]["mean"] == 1.0
    assert found["position_lean"]["mean"] == pytest.approx(2.0)
    assert found["mass"]["median"] == pytest.approx(0.9)
    assert found["tokens_in"] == 30 * 2 * 100


def test_methods_without_an_order_have_no_position_bias() -> None:
    """There is nothing to flip, and that is not 0."""
    found = rates(logit_ab=1.0, method="pointwise")
    assert found["flip_rate"] is found["position_bias"] is found["position_lean"] is None


def test_abstentions_are_counted_by_kind_and_are_in_no_other_rate() -> None:
    """Invalid, refused, filtered, error and not applicable are no ties."""
    kinds = ("invalid", "refused", "filtered", "error", "not_applicable", "tie", "a", "b")
    rows = [judgement(verdict=kind, prompt=f"Why {n}?", reason="mass 0.040 on the options" if kind == "invalid" else "",
                      mass=None if kind == "invalid" else 0.8) for n, kind in enumerate(kinds)]  # fmt: skip
    found = behaviour(rows, 50, 0)
    assert found["verdicts"] == dict.fromkeys(sorted(kinds), 1)
    assert found["abstained"]["mean"] == 5 / 8
    assert found["ties"]["mean"] == pytest.approx(1 / 3)
    assert found["mass"] == {"median": 0.8, "below_floor": 1 / 8, "floor": 0.1, "n": 8}
    assert found["reasons"] == {"mass 0.040 on the options": 1}


def test_votes_on_one_question_are_compared_with_each_other() -> None:
    """A, A, B in one order and B, B, "both" in the other: of three and one pairs of votes, one and one agree."""
    row = judgement(method="votes", said=("A", "A", "B", "B", "B", "both"))
    assert behaviour([row], 10, 0)["self_consistency"]["mean"] == 2 / 4
    assert behaviour([judgement(method="reasoned", said=("A", "A"))], 10, 0)["self_consistency"] is None


def test_the_price_is_known_only_if_every_judge_has_one() -> None:
    """Per million tokens, in and out; what runs on this machine is free unless it has a price."""
    rows = [judgement(tokens_in=1_000_000, tokens_out=500_000, prompt=str(n)) for n in range(2)]
    assert behaviour(rows, 10, 0, prices={"fake:judge": Price(0.5, 2.0)})["price"] == 2 * 0.5 + 1 * 2.0
    assert behaviour(rows, 10, 0)["price"] is None
    assert behaviour([judgement(judge="embedded:1.5b@x", tokens_in=9)], 10, 0)["price"] == 0.0


def test_suspected_injections_are_a_share() -> None:
    """Of all judgements, whatever became of them."""
    rows = [judgement(suspected_injection=n == 0, prompt=str(n)) for n in range(4)]
    assert behaviour(rows, 10, 0)["suspected_injection"]["mean"] == 0.25


def test_the_length_slope_has_a_closed_form_for_one_ratio() -> None:
    """The longer of two answers, twice as long, chosen 3 times of 4: log(3) / log(2), whichever of them is a."""
    rows = [(f"p{n}", _of(8, 4) if n % 2 else _of(4, 8), float(chosen == (n % 2))) for n in range(40)
            for chosen in [n % 8 < 6]]  # fmt: skip
    found = length_slope(rows)
    assert found["mean"] == pytest.approx(math.log(3) / math.log(2), abs=1e-6)
    x, p = math.log(2), 0.75
    error = math.sqrt(40 * (x**2) * p * (1 - p)) / (40 * x * x * p * (1 - p))
    assert found["high"] - found["mean"] == pytest.approx(1.959964 * error, rel=1e-6)


def _of(a: int, b: int) -> Comparison:
    return Comparison(prompt=Prompt.of("Why?"), a="x" * a, b="y" * b)


def test_the_length_slope_where_there_is_none_or_no_end_to_it() -> None:
    """Equal lengths say nothing; choices that all go by length have the steepest slope and no interval."""
    assert length_slope([("p", _of(3, 3), 1.0)]) is None
    assert length_slope([]) is None
    steep = length_slope([(str(n), _of(6, 3), 1.0) for n in range(5)])
    assert steep["mean"] == pytest.approx(STEEPEST, abs=1e-6) and steep["low"] is None
    flat = length_slope([(str(n), _of(6, 3), float(n % 2)) for n in range(10)])
    assert flat["mean"] == pytest.approx(0.0, abs=1e-9) and flat["low"] < 0 < flat["high"]


def test_length_is_seen_in_judges_that_go_by_it_and_not_in_others() -> None:
    """Half of the pairs are right in the longer answer; a judge that knows them has no slope to speak of."""
    asked = [(oriented(row, 0)[0], TRUE) for row in pairs(200)]
    found = behaviour(judge_all(knowing(0.8), asked), 200, 0)
    assert found["length_slope"]["low"] < 0 < found["length_slope"]["high"]
    assert found["longer_preferred"]["low"] < 0.5 < found["longer_preferred"]["high"]


def test_equal_predictions_are_one_bin() -> None:
    """A judge that always says 73 % and is right in 73 of 100 is calibrated, whatever the order of the rows."""
    x = math.log(0.73 / 0.27)
    for labels in ([1.0] * 73 + [0.0] * 27, [0.0] * 27 + [1.0] * 73):
        assert calibration_error([x] * 100, labels) == pytest.approx(0, abs=1e-9)
        assert len(reliability([x] * 100, labels)) == 1


def test_the_error_that_honest_probabilities_show() -> None:
    """The expected error of redrawn outcomes is what loops over redrawn outcomes find."""
    chance = np.random.default_rng(5)
    logits = list(chance.normal(0, 1.5, 120))
    found = []
    for _ in range(200):
        labels = [float(chance.random() < 1 / (1 + math.exp(-x))) for x in logits]
        found.append(calibration_error(logits, labels))
    assert calibration_noise(logits, 400, 0) == pytest.approx(np.mean(found), rel=0.06)
