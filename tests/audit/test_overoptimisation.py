"""The estimator against all subsets, the KL against its definition, the curves against what made them."""

import math
import random
from itertools import combinations

import pytest

from caif.audit.overoptimisation import Curve, along, best_of, fit_curve, kl_best_of, sweep
from caif.report.plots import gains, trail


@pytest.mark.parametrize("levels", [100, 3])
def test_best_of_n_is_the_mean_over_all_subsets(levels: int) -> None:
    """Every n up to N, with distinct proxies and with ties, of which any may be chosen."""
    draw = random.Random(levels)
    answers = [(float(draw.randrange(levels)), draw.gauss(0, 1)) for _ in range(7)]
    for n in range(1, 8):
        expected = []
        for some in combinations(answers, n):
            top = max(proxy for proxy, _ in some)
            # Of equals none is first: all answers that score the same stand in for each other.
            equals = [gold for proxy, gold in answers if proxy == top]
            expected.append((top, sum(equals) / len(equals)))
        proxy, gold = best_of(answers, n)
        assert proxy == pytest.approx(sum(p for p, _ in expected) / len(expected), abs=1e-12)
        assert gold == pytest.approx(sum(g for _, g in expected) / len(expected), abs=1e-12)


def test_the_kl_of_best_of_n_is_exact_for_scores_without_ties() -> None:
    """The best of n has density n q^(n-1) over quantiles, whose KL from 1 is this; checked by numerical integration."""
    for n in (2, 4, 16, 64):
        steps = 200_000
        density = [n * ((k + 0.5) / steps) ** (n - 1) for k in range(steps)]
        assert kl_best_of(n) == pytest.approx(sum(q * math.log(q) for q in density if q) / steps, abs=1e-3)
    assert kl_best_of(1) == 0


@pytest.mark.parametrize("rl", [False, True])
def test_a_curve_gives_back_what_made_it_and_its_peak_is_the_highest_point(rl: bool) -> None:
    """alpha and beta to 1e-9; no distance near the peak has a larger gain; what only rises has no peak."""
    true = Curve(1.2, 0.5, rl)
    found = fit_curve([(d / 4, true.at(d / 4)) for d in range(13)], rl=rl)
    assert found == pytest.approx(true, abs=1e-9)
    assert found is not None
    assert found.peak is not None
    assert all(true.at(found.peak) > true.at(found.peak + step) for step in (-0.05, 0.05))
    assert Curve(1.0, -0.1, rl).peak is None
    assert fit_curve([(0.0, 0.0), (1.0, 2.0)], rl=rl) is None


@pytest.mark.parametrize(("beta", "turns"), [(0.6, True), (0.25, False)])
def test_the_steps_of_rl_give_back_the_curve_that_made_them(beta: float, turns: bool) -> None:
    """alpha, beta and the start to 1e-9, whatever the start's level; gains are over it; a peak beyond the run is told so."""
    gold, proxy = Curve(1.1, beta, rl=True), Curve(2.0, 0.1, rl=True)
    ways = [n / 3 for n in range(13)]
    steps = [{"kl_sequence": d * d, "gold": gold.at(d) - 7.0, "proxy": proxy.at(d) + 3.0} for d in ways]
    found = along([*steps, {"kl_sequence": 1.0, "gold": math.nan, "proxy": 0.0}, {"loss": 0.1}])
    assert found is not None
    assert found["curve"]["alpha"] == pytest.approx(1.1, abs=1e-9)
    assert found["curve"]["beta"] == pytest.approx(beta, abs=1e-9)
    assert [p["d"] for p in found["points"]] == pytest.approx(ways)
    assert [p["gold"] for p in found["points"]] == pytest.approx([gold.at(d) for d in ways], abs=1e-9)
    assert [p["proxy"] for p in found["points"]] == pytest.approx([proxy.at(d) for d in ways], abs=1e-9)
    assert found["curve"]["peak_kl"] == pytest.approx(math.exp(2 * (1.1 / beta - 1)))
    assert (found["curve"]["peak_kl"] <= found["kl"]) == turns
    assert "nan" not in trail(found)
    assert along(steps[:2]) is None


def test_noisy_steps_give_nearly_the_curve_that_made_them() -> None:
    """Two hundred steps with noise as large as half the gain: the peak is found to a tenth of a deviation of distance."""
    draw, true = random.Random(3), Curve(1.2, 0.8, rl=True)
    ways = [4 * n / 200 for n in range(200)]
    found = along([{"kl_sequence": d * d, "gold": true.at(d) + draw.gauss(0, 0.5), "proxy": d} for d in ways])
    assert found is not None
    assert found["curve"]["peak"] == pytest.approx(true.peak, abs=0.2)


def test_a_proxy_that_is_gamed_turns_gold_down() -> None:
    """Answers with a flaw score high by proxy and low by gold: gold rises and falls, the proxy only rises."""
    draw = random.Random(0)
    prompts = {}
    for n in range(60):
        quality = [draw.gauss(0, 1) for _ in range(64)]
        prompts[str(n)] = [(q + 4 * (flaw := draw.random() < 0.03), q - 6 * flaw) for q in quality]
    found = sweep(prompts, 200, 0)
    assert found is not None
    assert [p["n"] for p in found["points"]] == [1, 2, 4, 8, 16, 32, 64]
    gold, proxy = ([p[name]["mean"] for p in found["points"]] for name in ("gold", "proxy"))
    assert proxy == sorted(proxy)
    assert gold[0] == 0 < max(gold[1:4])
    assert gold[-1] < 0
    assert 0 < found["curves"]["best_of_n"]["peak_kl"] < found["points"][-1]["kl"]
    assert "nan" not in gains(found)
    assert sweep({"x": [(1.0, 1.0)]}, 10, 0) is None
