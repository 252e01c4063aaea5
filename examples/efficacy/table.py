"""Print what each seed came to: `python examples/efficacy/table.py HOME`."""

import sys
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from statistics import mean

import caif
from caif.audit import bootstrap

FOLLOWS, OTHER = "gives-an-example", "brevity"
GUARDED = ("on-topic", "repeats")
"""What a policy loses that gives examples of nothing: reported, rewarded nowhere."""
SIDES = ("base", "tuned", "policy", "best of n")


def row(folder: Path) -> list[str]:
    """Return a line of the table: shares with 95 % intervals over prompts, the win rate with its own, and mean words."""
    made = caif.load_run(folder)
    found = made.artifact("evaluate").facts["metrics"]
    follows, words = found["measures"][FOLLOWS], found["measures"]["words"]
    minutes = sum(artifact.facts["seconds"] for artifact in made.artifacts.values()) / 60
    return [
        folder.name.removeprefix("efficacy-"),
        f"{minutes:.0f}",
        *(interval(follows[side]) for side in SIDES),
        *(gained(found["measures"][name]) for name in GUARDED),
        interval(found["wins"][OTHER]),
        interval(shorter(made.artifact("evaluate").rows(caif.Completion), found["start"])),
        interval(sees(made.artifact("evaluate").rows(caif.Judgement))),
        f"{words['tuned']['mean']:.1f} -> {words['policy']['mean']:.1f} ({words['policy']['mean'] / words['tuned']['mean'] - 1:+.0%})",
        interval(found["kl"]),
    ]


def shorter(answers: list[caif.Completion], start: str) -> dict[str, float]:
    """Return how often the policy's answer has fewer words than the tuned model's, ties one half, over prompts.

    Brevity can be counted, and the judge is bad at it. Of each model as many answers a prompt as the policy has; what failed
    is no answer, and a prompt that one of them did not answer is left out.
    """
    counted: dict[str, tuple[list[int], list[int]]] = {}
    for answer in filter(lambda answer: answer.usable, answers):
        counted.setdefault(answer.prompt.id, ([], []))[answer.model == start].append(len(answer.text.split()))
    pairs = [[*product(ours, theirs[: len(ours)])] for ours, theirs in counted.values()]
    rates = [mean((a < b) + (a == b) / 2 for a, b in several) for several in pairs if several]
    return bootstrap.interval(rates, 2000, 0)


def sees(judged: Iterable[caif.Judgement]) -> dict[str, float]:
    """Return how often the judge's choice for brevity is the answer of fewer words, over prompts; ties are left out."""
    right: dict[str, list[float]] = {}
    for one in judged:
        a, b = len(one.comparison.a.split()), len(one.comparison.b.split())
        if one.objective == OTHER and one.verdict in ("a", "b") and a != b:
            right.setdefault(one.comparison.prompt.id, []).append((one.verdict == "a") == (a < b))
    return bootstrap.interval([*map(mean, right.values())], 2000, 0)


def gained(measure: dict[str, dict[str, float]]) -> str:
    """Return a measure of the tuned model and the policy, and the difference with its interval over prompts."""
    gap = measure["policy - tuned"]
    return f"{measure['tuned']['mean']:.2f} -> {measure['policy']['mean']:.2f} ({gap['low']:+.2f} to {gap['high']:+.2f})"


def interval(found: dict[str, float]) -> str:
    """Return a mean with its interval."""
    return f"{found['mean']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def main() -> None:
    """Print a Markdown table of all runs called efficacy-SEED."""
    best = "best of 16 by the reward model"
    wins = f"wins on {OTHER}, by the judge", "by counting", "the judge names the shorter"
    head = ["seed", "minutes", "base", "tuned", "policy", best, *GUARDED, *wins, "words, tuned -> policy", "KL"]
    print("| " + " | ".join(head) + " |")
    print("| " + " | ".join("---" for _ in head) + " |")
    for folder in sorted(Path(sys.argv[1]).glob("runs/efficacy-*")):
        print("| " + " | ".join(row(folder)) + " |")


if __name__ == "__main__":
    main()
