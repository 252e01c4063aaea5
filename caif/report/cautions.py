"""What is doubtful about a run, found by rule: each rule is one function over the numbers, each limit stands here."""

from collections.abc import Iterator
from typing import Any

from caif.report.estimate import CHANCE, share, side_of
from caif.report.evaluation import gap_of
from caif.report.show import counted, listed, number, percent, spread
from caif.report.sources import FLIPS

AGREEMENT = 0.6
FEW = 20
KL_NATS = 20.0
LONGER = 1.3
FAILED = 0.05
REFUSALS = 0.05
CUT = 0.2
MASS = 0.5

Numbers = dict[str, Any]


def cautions(numbers: Numbers) -> list[dict[str, str]]:
    """Return what to doubt, and about which stage or source; all that is about one of them stands together."""
    rules = (_labels, _people, _reward, _same_judge, _unclear, _policy, _failed_verdicts)
    found = [{"about": about, "text": text} for rule in rules for about, text in rule(numbers)]
    places = list(dict.fromkeys(caution["about"] for caution in found))
    return sorted(found, key=lambda caution: places.index(caution["about"]))


def _labels(numbers: Numbers) -> Iterator[tuple[str, str]]:
    for source in numbers["sources"]:
        flips, judged, failed = source["flips"], source["judgements"], sum(source["failed"].values())
        if flips and flips["mean"] > FLIPS:
            yield (
                source["label"],
                (
                    f"The judge changed its mind in {percent(flips['mean'])} of {flips['n']} comparisons when the answers "
                    "swapped places: it leans to a place as much as to an answer."
                ),
            )
        if judged and failed / judged > FAILED:
            yield (
                source["label"],
                f"{percent(failed / judged)} of {counted(judged, 'judgement')} failed; what is left may be biased.",
            )
        if source["mass"] is not None and source["mass"] < MASS:
            yield (
                source["label"],
                (
                    f"The judge put only {percent(source['mass'])} of its probability on the option letters: it hardly answers the question."
                ),
            )
        for kind, one in source["reward"].items():
            if side_of(one["accuracy"], CHANCE) <= 0:
                yield (
                    source["label"],
                    (
                        f"The reward model is not shown to predict its held-out {kind}: {spread(one['accuracy'], '%')} of {one['n']} right."
                    ),
                )


def _people(numbers: Numbers) -> Iterator[tuple[str, str]]:
    modelled = [source for source in numbers["sources"] if source["by"] not in ("people", "none")]
    for source in modelled:
        agreed = source["people"]["all"]
        if agreed is None:
            yield source["label"], "None of its labels could be compared with a person’s, so nobody has checked them."
        elif agreed["n"] < FEW:
            yield (
                source["label"],
                f"Only {counted(agreed['n'], 'label')} could be compared with a person's: too few to trust them by.",
            )
        if agreed and agreed["mean"] < AGREEMENT:
            yield (
                source["label"],
                f"It agrees with people in only {spread(agreed, '%')} of {counted(agreed['n'], 'label')}.",
            )


def _reward(numbers: Numbers) -> Iterator[tuple[str, str]]:
    reward = numbers["reward"]
    if reward is None:
        return
    for row in reward["objectives"]:
        if side_of(row["accuracy"], CHANCE) <= 0:
            yield (
                "reward",
                (
                    f"The head of {row['name']} is not shown to beat chance on held-out {row['kind']}: {spread(row['accuracy'], '%')} "
                    f"of {row['n']} right. RL against it may follow noise."
                ),
            )
    if reward["unmeasured"]:
        yield (
            "reward",
            f"Nothing was held out for {listed(reward['unmeasured'])}, so nobody knows what that reward is worth.",
        )
    if reward["truncated"]:
        yield (
            "reward",
            f"{counted(int(reward['truncated']), 'row')} were cut to the length limit before the reward model saw them.",
        )


def _same_judge(numbers: Numbers) -> Iterator[tuple[str, str]]:
    scores = numbers["evaluation"]
    labelled = [source["label"] for source in numbers["sources"] if scores and scores["judge"] in source["judges"]]
    if scores and scores["judge"] and labelled:
        yield (
            "evaluate",
            (
                f"The judge of the evaluation also gave the labels of {listed(labelled)}: its win rates count what it taught, "
                "and share its errors. Another judge, or people, would tell more."
            ),
        )


def _unclear(numbers: Numbers) -> Iterator[tuple[str, str]]:
    scores = numbers["evaluation"]
    if scores is None:
        return
    if scores["prompts"] < FEW:
        yield (
            "evaluate",
            f"Only {counted(scores['prompts'], 'prompt')} held out: intervals over so few prompts are too narrow.",
        )
    won = [row["name"] for row in scores["wins"] if row["rate"] and side_of(row["rate"], CHANCE) == 0]
    if won:
        yield "evaluate", f"The win rate cannot be told from one half under {listed(won)}."
    gaps = [(m["name"], gap_of(m, "policy", "tuned")) for m in scores["measures"]]
    still = [name for name, gap in gaps if gap and side_of(gap, 0) == 0]
    if still:
        yield "evaluate", f"No change from {scores['start_name']} to policy can be told from 0 in: {listed(still)}."


def _policy(numbers: Numbers) -> Iterator[tuple[str, str]]:
    scores = numbers["evaluation"]
    if scores is None:
        return
    if scores["kl"] and scores["kl"]["mean"] > KL_NATS:
        yield (
            "rl",
            f"The policy is {number(scores['kl']['mean'])} nats a sequence from where it started: rewards may be exploited.",
        )
    for measure in scores["measures"]:
        sides, gap = {side["name"]: side["mean"] for side in measure["sides"]}, gap_of(measure, "policy", "tuned")
        if measure["name"] == "refusals" and gap and (gap["mean"] >= REFUSALS or side_of(gap, 0) > 0):
            yield "rl", f"The policy refuses more: {percent(sides['tuned'])} before, {percent(sides['policy'])} after."
        if measure["name"] == "words" and gap and sides["policy"] > LONGER * sides["tuned"]:
            yield (
                "rl",
                (
                    f"Answers grew from {number(sides['tuned'])} to {number(sides['policy'])} words: judges and reward models like "
                    "length, so part of any gain may be length alone."
                ),
            )
    if scores["answers"] and scores["cut"] / scores["answers"] > CUT:
        yield (
            "evaluate",
            f"{percent(scores['cut'] / scores['answers'])} of the answers were cut off at the token limit.",
        )


def _failed_verdicts(numbers: Numbers) -> Iterator[tuple[str, str]]:
    scores = numbers["evaluation"]
    if scores is None or not scores["judgements"]:
        return
    failed = sum(scores["failed"].values())
    if failed / scores["judgements"] > FAILED:
        yield (
            "evaluate",
            f"{percent(failed / scores['judgements'])} of {counted(scores['judgements'], 'judgement')} failed.",
        )
    flips = share(
        sum(row["flipped"] for row in scores["wins"]),
        sum((row["rate"] or {"n": 0})["n"] or 0 for row in scores["wins"]),
    )
    if flips and flips["mean"] > FLIPS:
        yield (
            "evaluate",
            f"The judge of the evaluation changed its mind in {percent(flips['mean'])} of {flips['n']} comparisons.",
        )
