"""Print what the cards say as two Markdown tables: `python examples/audit/table.py`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAIRS = {
    "icai": "ICAI, rule known",
    "hh-rlhf": "hh-rlhf harmless",
    "llmbar": "LLMBar case studies",
    "fine-grained": "fine-grained preferences",
}
JUDGES = ("0.5b", "1.5b")


def cards() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each card with the name of its pairs and of its judge."""
    for judge in JUDGES:
        for name in PAIRS:
            if (file := HERE / judge / name / "card.json").is_file():
                yield name, judge, json.loads(file.read_text(encoding="utf-8"))


def interval(found: dict[str, float] | None) -> str:
    """Return a mean with its interval."""
    return f"{found['mean']:.2f} ({found['low']:.2f} to {found['high']:.2f})" if found else "-"


def worth() -> Iterator[list[str]]:
    """Yield a line for each judge, kind of pairs and method."""
    for name, judge, card in cards():
        passed = {one["judge"].split(" by ")[1].split(",")[0]: one["passed"] for one in card["selftest"]["judges"]}
        for method, found in card["methods"].items():
            flips = f"{found['flip_rate']['mean']:.2f}" if found["flip_rate"] else "no order"
            tested = "passed" if passed[method] else "failed"
            use = "recommended" if card["recommendation"]["method"] == method else ""
            first = f"[{PAIRS[name]}]({judge}/{name}/card.html) ({found['pairs']})"
            yield [first, judge, method, interval(found["accuracy"]), flips, tested, use]


def steered() -> Iterator[list[str]]:
    """Yield a line for each judge and method that was attacked."""
    for _, judge, card in cards():
        for method, found in (card.get("attacks") or {}).items():
            defended, bare = found["defended"], found["bare"]
            right = f"{defended['clean_right']} of {defended['clean']}"
            yield [judge, method, right, interval(defended["all"]), interval(bare["all"])]


def table(head: str, rows: Iterator[list[str]]) -> str:
    """Return a Markdown table."""
    names = head.split(", ")
    return "\n".join("| " + " | ".join(row) + " |" for row in [names, ["---"] * len(names), *rows])


if __name__ == "__main__":
    print(table("pairs, judge, asked by, right, changes with the order, self-test, the card says", worth()))
    print()
    print(table("judge, asked by, right without attacks, attacks that succeed, without defences", steered()))
