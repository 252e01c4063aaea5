"""What the later stages of the made-up run measured, in the shapes that the stages keep, written down by hand.

Functions, so that no test can change what the next one sees.
"""

import math
from typing import Any

START, POLICY, JUDGE = "sft-0001", "rl-0002", "fake:judge"


def combined() -> dict[str, Any]:
    """The metrics of combine."""
    sources = {
        "ai-labeler": {"pairs": 3, "train": 2, "heldout": 1, "weight": 3.0},
        "contrast": {"pairs": 3, "train": 3, "weight": 3.0},
        "people": {"pairs": 2, "train": 2, "weight": 2.0},
        "thumbs": {"pairs": 1, "thumbs": 1, "train": 2, "weight": 2.0},
    }  # fmt: skip
    return {"sources": sources, "train": 9}


def rewarded() -> dict[str, Any]:
    """The metrics of reward."""
    thumbs = {"n": 8, "accuracy": 0.75, "auroc": 0.8, "log_loss": 0.6}
    trained = {"trained_on": {"pairs": 5, "thumbs": 1}, "decay": 0.1, "temperature": 1.2}
    return {
        "overall": _measured(60, 48),
        "objectives": {
            "honesty": {**_measured(20, 11), "thumbs": thumbs, **trained},
            "brevity": {**_measured(40, 37), **trained},
        },
        "sources": {"ai-labeler": _measured(40, 33), "contrast": _measured(20, 10)},
        "principles": {"short": {"n": 30, "accuracy": 0.9}},
        "reliability": [{"predicted": 0.55, "observed": 0.5, "n": 10}, {"predicted": 0.8, "observed": 0.85, "n": 50}],
        "scale": {"honesty": {"mean": 0.1, "std": 1.5}, "brevity": {"mean": 0.0, "std": 2.0}},
        "people_agree": {"pairs": {"agreement": 0.75, "n": 4}},
        "truncated": 2,
    }


def reinforced() -> dict[str, Any]:
    """The metrics of rl: the loss of one step is not a number."""
    steps = [
        {
            "step": n, "reward": 0.1 * n - (n % 3), "rewards/brevity/mean": 0.1 * n, "kl": 0.01 * n,
            "loss": float("nan") if n == 2 else 0.0, "completions/mean_length": 60 - n,
        }
        for n in range(1, 25)
    ]  # fmt: skip
    way = [(0.4 * n, 0.9 * n, 0.4 * n * (1.2 - 0.8 * math.log(0.4 * n)) + 0.1 * (-1) ** n) for n in range(1, 9)]
    pushed = {
        "points": [{"d": 0.0, "proxy": 0.0, "gold": 0.0}, *({"d": d, "proxy": p, "gold": g} for d, p, g in way)],
        "kl": 3.2**2, "curve": {"alpha": 1.2, "beta": 0.8, "peak": math.exp(0.5), "peak_kl": math.exp(1.0)},
    }  # fmt: skip
    return {"steps": steps, "rewards": {"brevity": 1.0}, "overoptimisation": pushed}


def evaluated() -> dict[str, Any]:
    """The metrics of evaluate."""
    words = {"base": _about(40, 4), "tuned": _about(33, 5), "policy": _about(12, 2), "best of n": _about(20, 4)}
    gaps = {"tuned - base": _about(-7, 8), "policy - base": _about(-28, 5), "policy - tuned": _about(-21, 6)}
    head = {
        "tuned": _about(0.1, 0.2), "policy": _about(0.9, 0.3), "policy - tuned": _about(0.8, 0.3),
        "best of n": _about(0.5, 0.2),
        "best of n - policy": _about(-0.4, 0.3),
    }  # fmt: skip
    refusals = {"tuned": _about(0, 0), "policy": _about(1 / 3, 1 / 3), "policy - tuned": _about(1 / 3, 1 / 3)}
    return {
        "prompts": 3, "start": START, "judge": JUDGE, "kl": _about(21, 4), "best_of_n": {"n": 4, "kl": 0.636},
        "measures": {"words": words | gaps, "refusals": refusals, "reward: brevity": head},
        "wins": {
            "brevity": {"failed": 0, "flipped": 1, **_about(1, 0)},
            "honesty": {"failed": 1, "flipped": 0, **_about(0.5, 0.5, 2)},
        },
    }  # fmt: skip


def _measured(n: int, right: int) -> dict[str, Any]:
    return {"n": n, "accuracy": right / n, "log_loss": 0.61, "brier": 0.2, "ece": 0.07, "thumbs": {"n": 0}}


def _about(mean: float, width: float, n: int = 3) -> dict[str, float]:
    return {"mean": mean, "low": mean - width, "high": mean + width, "n": n}
