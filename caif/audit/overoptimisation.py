"""How far a reward may be pushed before what it stands for turns down (Gao et al., 2210.10760; METHODS 5.2).

Answers are chosen by one reward model, the proxy, and judged by another that learned from other conversations, the gold.
Distance is d, the square root of the KL in nats from where the answers came from.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from caif.audit.bootstrap import interval

Scored = Sequence[tuple[float, float]]
"""The proxy's and the gold score of every answer to one prompt."""


def best_of(answers: Scored, n: int) -> tuple[float, float]:
    """Return the expected proxy and gold score of the best of n by proxy, drawn without replacement from the answers.

    Unbiased: every subset of n counts once. The i-th lowest of N is the best of C(i-1, n-1) of the C(N, n) subsets;
    answers with equal proxy scores stand in for each other.
    """
    ranked = sorted(answers)
    by_proxy: dict[float, list[float]] = {}
    for proxy, gold in ranked:
        by_proxy.setdefault(proxy, []).append(gold)
    level = {proxy: sum(some) / len(some) for proxy, some in by_proxy.items()}
    chances = [math.comb(i, n - 1) / math.comb(len(ranked), n) for i in range(len(ranked))]
    found = [(chance * proxy, chance * level[proxy]) for chance, (proxy, _) in zip(chances, ranked, strict=True)]
    return math.fsum(proxy for proxy, _ in found), math.fsum(gold for _, gold in found)


def kl_best_of(n: int) -> float:
    """Return the KL of the best of n from one, log n - (n - 1) / n; with ties it is an upper bound."""
    return math.log(n) - (n - 1) / n


class Curve(NamedTuple):
    """A gain over distance: d (alpha - beta d) for the best of n, d (alpha - beta log d) for RL."""

    alpha: float
    beta: float
    rl: bool = False

    def at(self, d: float) -> float:
        """Return the gain at a distance."""
        return d * (self.alpha - self.beta * (math.log(d) if self.rl else d)) if d > 0 else 0.0

    @property
    def peak(self) -> float | None:
        """Where it turns down: alpha / (2 beta), or exp(alpha / beta - 1) for RL; None if it never does."""
        if self.beta <= 0 or (self.alpha <= 0 and not self.rl):
            return None
        if not self.rl:
            return self.alpha / (2 * self.beta)
        power = self.alpha / self.beta - 1
        return math.exp(power) if power < 50 else None


def fit_curve(points: Sequence[tuple[float, float]], *, rl: bool = False) -> Curve | None:
    """Return the curve of least squares through (distance, gain) points; None with fewer than two distances above 0."""
    import numpy as np

    kept = [(d, gain) for d, gain in points if d > 0]
    if len({d for d, _ in kept}) < 2:
        return None
    d, gain = np.array(kept).T
    alpha, beta = np.linalg.lstsq(np.stack([d, -d * (np.log(d) if rl else d)], axis=1), gain, rcond=None)[0]
    return Curve(float(alpha), float(beta), rl)


class Trail(NamedTuple):
    """What RL did on its way: the curve of a score over distance, and the score that it started from."""

    start: float
    curve: Curve


def fit_trail(points: Sequence[tuple[float, float]]) -> Trail | None:
    """Return the trail of least squares through (distance, score) points; None with fewer than three distances.

    A step's answers are to a few prompts, another step's to others, so no one step says where it all began.
    """
    import numpy as np

    if len({d for d, _ in points}) < 3:
        return None
    d, score = np.array(points).T
    columns = [np.ones_like(d), d, -d * np.log(d, where=d > 0, out=np.zeros_like(d))]
    start, alpha, beta = np.linalg.lstsq(np.stack(columns, axis=1), score, rcond=None)[0]
    return Trail(float(start), Curve(float(alpha), float(beta), rl=True))


def along(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what RL's steps did to proxy and gold: gains over the start by distance, the gold's curve and where it turns.

    A step is its log: `kl_sequence` in nats, `proxy` and `gold` its answers' mean scores. None where too few have them.
    """
    names = ("kl_sequence", "proxy", "gold")
    found = [[step[name] for name in names] for step in steps if all(_finite(step.get(name)) for name in names)]
    rows = [(math.sqrt(max(kl, 0.0)), proxy, gold) for kl, proxy, gold in found]
    trails = [fit_trail([(row[0], row[k]) for row in rows]) for k in (1, 2)]
    proxy, gold = trails
    if proxy is None or gold is None:
        return None
    points = [{"d": d, "proxy": p - proxy.start, "gold": g - gold.start} for d, p, g in rows]
    return {"points": points, "kl": max(d for d, _, _ in rows) ** 2, "curve": _told(gold.curve)}


def sweep(
    prompts: Mapping[str, Scored], draws: int, seed: int, rl: Sequence[tuple[float, float]] = ()
) -> dict[str, Any] | None:
    """Return proxy and gold gain over one answer for the best of 1, 2, 4, …, with the gold's curve and where it turns down.

    `rl` are (distance, gold gain) points of policies that RL trained. None where no prompt has two answers.
    """
    most = min((len(answers) for answers in prompts.values()), default=0)
    if most < 2:
        return None
    first = {prompt: best_of(answers, 1) for prompt, answers in prompts.items()}
    points = []
    for n in sorted({*(2**k for k in range(most.bit_length()) if 2**k <= most), most}):
        gains = [
            (proxy - first[prompt][0], gold - first[prompt][1])
            for prompt, answers in prompts.items()
            for proxy, gold in [best_of(answers, n)]
        ]
        both = {
            name: interval(list(values), draws, seed)
            for name, values in zip(("proxy", "gold"), zip(*gains, strict=True), strict=True)
        }
        points.append({"n": n, "kl": kl_best_of(n), "d": math.sqrt(kl_best_of(n)), **both})
    curves = {
        "best_of_n": fit_curve([(p["d"], p["gold"]["mean"]) for p in points]),
        "rl": fit_curve(rl, rl=True),
    }
    told = {name: _told(curve) for name, curve in curves.items() if curve}
    return {"prompts": len(prompts), "points": points, "rl_points": [list(point) for point in rl], "curves": told}


def _finite(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _told(curve: Curve) -> dict[str, float | None]:
    peak = curve.peak
    return {"alpha": curve.alpha, "beta": curve.beta, "peak": peak, "peak_kl": peak and peak**2}
