"""Print what each seed came to: `python examples/efficacy/table.py HOME`."""

import sys
from pathlib import Path

import caif

FOLLOWS, OTHER = "gives-an-example", "brevity"
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
        interval(found["wins"][OTHER]),
        f"{words['tuned']['mean']:.1f} -> {words['policy']['mean']:.1f} ({words['policy']['mean'] / words['tuned']['mean'] - 1:+.0%})",
        interval(found["kl"]),
    ]


def interval(found: dict[str, float]) -> str:
    """Return a mean with its interval."""
    return f"{found['mean']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def main() -> None:
    """Print a Markdown table of all runs called efficacy-SEED."""
    best = "best of 16 by the reward model"
    head = ["seed", "minutes", "base", "tuned", "policy", best, f"wins on {OTHER}", "words, tuned -> policy", "KL"]
    print("| " + " | ".join(head) + " |")
    print("| " + " | ".join("---" for _ in head) + " |")
    for folder in sorted(Path(sys.argv[1]).glob("runs/efficacy-*")):
        print("| " + " | ".join(row(folder)) + " |")


if __name__ == "__main__":
    main()
