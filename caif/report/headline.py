"""The two or three sentences that a reader takes home, made of the numbers and of nothing else."""

from typing import Any

from caif.intervals import CHANCE, side_of
from caif.report.evaluation import gap_of
from caif.report.show import counted, listed, number, spread

Numbers = dict[str, Any]


def sentences(numbers: Numbers) -> list[str]:
    """Return what was made, what changed and whether RL was worth it."""
    scores, doubts = numbers["evaluation"], len(numbers["cautions"])
    if scores is None:
        changed = ["Nothing was evaluated, so this page cannot say what changed."]
    else:
        changed = [_won(scores), _moved(scores), _against_best(scores)]
    doubtful = f"Before any of it is believed: {counted(doubts, 'caution')} below." if doubts else ""
    return list(filter(None, [_labelled(numbers), *changed, doubtful]))


def _labelled(numbers: Numbers) -> str:
    if not numbers["sources"]:
        return ""
    said = []
    for source in numbers["sources"]:
        parts = [counted(source["pairs"], "pair")] if source["pairs"] else []
        parts += [counted(source["thumbs"], "thumb")] if source["thumbs"] else []
        by = "" if source["by"] == source["label"] else f" ({source['by']})"
        said.append(f"{listed(parts)} from {source['label']}{by}")
    return f"The feedback is {listed(said)}."


def _won(scores: Numbers) -> str:
    rated = [(row["name"], row["rate"]) for row in scores["wins"] if row["rate"]]
    if not rated:
        return "The judge gave no verdict that could be used." if scores["wins"] else ""
    start = "the tuned model’s" if scores["start_name"] == "tuned" else "the starting model’s"
    words = {1: "won", 0: "neither clearly won nor lost", -1: "lost"}
    said = [f"{words[side_of(rate, CHANCE)]} under {name}, {spread(rate, '%')}" for name, rate in rated]
    on = counted(scores["prompts"], "held-out prompt")
    return f"On {on}, judged against {start} answers, the {scores['won_by']}’s {'; '.join(said)}."


def _moved(scores: Numbers) -> str:
    gaps = [(m, gap_of(m, "policy", "tuned")) for m in scores["measures"]]
    clear = [f"{m['name']} {spread(gap, m['unit'], sign=True)}" for m, gap in gaps if gap and side_of(gap, 0)]
    if not any(gap for _, gap in gaps):
        return ""
    since = f"Since {'tuning' if scores['start_name'] == 'tuned' else 'the start'}"
    return (
        f"{since}, these moved beyond chance: {'; '.join(clear)}."
        if clear
        else f"{since}, no measure moved beyond chance."
    )


def _against_best(scores: Numbers) -> str:
    if not scores["beaten"]:
        return ""
    sides = {1: "above", 0: "level with", -1: "below"}
    groups: dict[str, list[str]] = {}
    for name, gap in scores["beaten"].items():
        groups.setdefault(sides[side_of(gap, 0)], []).append(name)
    said = [f"{side} it in the reward of {listed(names)}" for side, names in groups.items()]
    beat = "RL beat" if "above" in groups and "below" not in groups else "RL did not clearly beat"
    n = number(int(scores["best_of_n"]["n"] or 0))
    return f"{beat} choosing the best of {n} answers: the policy is {'; '.join(said)}.{_cost(scores, n)}"


def _cost(scores: Numbers, n: str) -> str:
    spent, best = scores["kl"], scores["best_of_n"]["kl"]
    if spent is None or best is None:
        return ""
    return f" RL spent {number(spent['mean'])} nats of KL, best of {n} spends {number(best)}."
