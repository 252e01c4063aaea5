"""What is doubtful about an outcome: rules over the evaluation's numbers, each limit standing here."""

from collections.abc import Iterator, Sequence
from typing import Any

from caif.intervals import CHANCE, share, side_of
from caif.report.evaluation import gap_of
from caif.report.show import counted, listed, number, percent
from caif.report.sources import FLIPS

FEW = 20
"""With fewer, an interval says more about luck than about the model."""

KL_NATS = 20.0
LONGER = 1.3
FAILED = 0.05
REFUSALS = 0.05
CUT = 0.2

Numbers = dict[str, Any]
About = tuple[str, str]
"""The stage or source that a caution is about, and its text."""


def doubts(scores: Numbers, sources: Sequence[Numbers]) -> list[About]:
    """Return what to doubt in an evaluation."""
    return [*_judge(scores, sources), *_unclear(scores), *_policy(scores), *_lengths(scores)]


def _judge(scores: Numbers, sources: Sequence[Numbers]) -> Iterator[About]:
    labelled = [source["label"] for source in sources if scores["judge"] in source["judges"]]
    if labelled:
        text = f"The judge of the evaluation also gave the labels of {listed(labelled)}: its win rates count what it "
        yield "evaluate", text + "taught, and share its errors. Another judge, or people, would tell more."
    judged, failed = scores["judgements"], sum(scores["failed"].values())
    if judged and failed / judged > FAILED:
        yield "evaluate", f"{percent(failed / judged)} of {counted(judged, 'judgement')} failed."
    flipped, valid = sum(row["flipped"] for row in scores["wins"]), judged - failed
    flips = share(flipped, valid) if flipped <= valid else None
    if flips and flips["mean"] > FLIPS:
        text = f"The judge of the evaluation changed its mind in {percent(flips['mean'])} of {valid} comparisons."
        yield "evaluate", text


def _unclear(scores: Numbers) -> Iterator[About]:
    if scores["prompts"] < FEW:
        text = f"Only {counted(scores['prompts'], 'prompt')} held out: intervals over so few prompts are too narrow."
        yield "evaluate", text
    won = [row["name"] for row in scores["wins"] if row["rate"] and side_of(row["rate"], CHANCE) == 0]
    if won:
        yield "evaluate", f"The win rate cannot be told from one half under {listed(won)}."
    gaps = [(m["name"], gap_of(m, "policy", "tuned")) for m in scores["measures"]]
    still = [name for name, gap in gaps if gap and side_of(gap, 0) == 0]
    if still:
        yield "evaluate", f"No change from {scores['start_name']} to policy can be told from 0 in: {listed(still)}."


def _policy(scores: Numbers) -> Iterator[About]:
    if scores["kl"] and scores["kl"]["mean"] > KL_NATS:
        text = f"The policy is {number(scores['kl']['mean'])} nats a sequence from where it started: "
        yield "rl", text + "rewards may be exploited."
    if measured := _measured(scores, "refusals"):
        sides, gap = measured
        if gap["mean"] >= REFUSALS or side_of(gap, 0) > 0:
            text = f"The policy refuses more: {percent(sides['tuned'])} before, {percent(sides['policy'])} after."
            yield "rl", text


def _lengths(scores: Numbers) -> Iterator[About]:
    if measured := _measured(scores, "words"):
        sides, _ = measured
        if sides["policy"] > LONGER * sides["tuned"]:
            text = f"Answers grew from {number(sides['tuned'])} to {number(sides['policy'])} words: judges and reward "
            yield "rl", text + "models like length, so part of any gain may be length alone."
    if scores["answers"] and scores["cut"] / scores["answers"] > CUT:
        text = f"{percent(scores['cut'] / scores['answers'])} of the answers were cut off at the token limit."
        yield "evaluate", text


def _measured(scores: Numbers, name: str) -> tuple[dict[str, float], Numbers] | None:
    """Return a measure's means by model and the change from before RL to after; None if it lacks either."""
    for measure in scores["measures"]:
        sides = {side["name"]: side["mean"] for side in measure["sides"]}
        gap = gap_of(measure, "policy", "tuned")
        if measure["name"] == name and gap and {"tuned", "policy"} <= sides.keys():
            return sides, gap
    return None
