"""What is doubtful about a run, found by rule: those on labels and reward model here, the others in `outcomes`."""

from collections.abc import Iterator
from typing import Any

from caif.intervals import CHANCE, side_of
from caif.judge.signs import SIGNS
from caif.report import outcomes
from caif.report.outcomes import FAILED, FEW, About
from caif.report.show import counted, listed, number, percent, spread
from caif.report.sources import FLIPS

AGREEMENT = 0.6
"""Below this share of agreement with people, labels are hardly better than a coin."""

LEARNT = 0.5
"""Below this share of RL's answers, the policy learns from the short ones alone."""

MASS = 0.5
"""A judge that puts less of its probability on the option letters would rather have said something else."""

UNDECIDED, FAINT = 0.5, 0.01
"""Above this share of ties a judge decides nothing; nearer to one half than this on average, hardly anything."""

TESTING = ("ai-labeler", "critique-revise", "contrast", "refusal")
"""The sources that have an option `selftest`."""

Numbers = dict[str, Any]


def cautions(numbers: Numbers) -> list[dict[str, str]]:
    """Return what to doubt, and about which stage or source; all that is about one of them stands together."""
    found = [c for source in numbers["sources"] for c in (*_judge(source), *_learned(source), *_people(source))]
    found += _reward(numbers["reward"]) if numbers["reward"] else []
    found += _coverage(numbers["coverage"]) if numbers["coverage"] else []
    found += _rl(numbers["rl"]) if numbers["rl"] else []
    found += outcomes.doubts(numbers["evaluation"], numbers["sources"]) if numbers["evaluation"] else []
    places = list(dict.fromkeys(about for about, _ in found))
    return [{"about": about, "text": text} for about, text in sorted(found, key=lambda c: places.index(c[0]))]


def _judge(source: Numbers) -> Iterator[About]:
    flips, judged, failed = source["flips"], source["judgements"], sum(source["failed"].values())
    for test in source["tested"]:
        if not test["passed"]:
            yield source["label"], f"Its judge failed the test of {test['check']}: {test['reason']}."
    if judged and all(test["check"] in SIGNS for test in source["tested"]):
        why = 'selftest = "off"' if source["use"] in TESTING else "its source does not use caif.judge.watch"
        yield source["label"], f"Its judge was not tested on known answers ({why})."
    if flips and flips["mean"] > FLIPS:
        text = f"The judge changed its mind in {percent(flips['mean'])} of {flips['n']} comparisons when the answers "
        yield source["label"], text + "swapped places: it leans to a place as much as to an answer."
    if judged and failed / judged > FAILED:
        text = f"{percent(failed / judged)} of {counted(judged, 'judgement')} failed; what is left may be biased."
        yield source["label"], text
    ties, decided = source["silent"].get("tie", 0), source["decided"]
    if judged and ties / judged > UNDECIDED:
        text = f"The judge decides nothing in {percent(ties / judged)} of {counted(judged, 'judgement')}: "
        yield source["label"], text + "it gives both answers one half there."
    elif decided is not None and decided < FAINT:
        text = f"The judge hardly decides: its probabilities lie {number(decided)} from one half on average, "
        yield source["label"], text + "so its soft labels say next to nothing."
    if source["mass"] is not None and source["mass"] < MASS:
        text = f"The judge put only {percent(source['mass'])} of its probability on the option letters: "
        yield source["label"], text + "it hardly answers the question."


def _learned(source: Numbers) -> Iterator[About]:
    for kind, one in source["reward"].items():
        if side_of(one["accuracy"], CHANCE) <= 0:
            text = f"The reward model is not shown to predict its held-out {kind}: "
            yield source["label"], text + f"{spread(one['accuracy'], '%')} of {one['n']} right."


def _people(source: Numbers) -> Iterator[About]:
    if source["by"] in ("people", "none"):
        return
    agreed = source["people"]["all"]
    if agreed is None:
        yield source["label"], "None of its labels could be compared with a person’s, so nobody has checked them."
        return
    if agreed["n"] < FEW:
        text = f"Only {counted(agreed['n'], 'label')} could be compared with a person’s: too few to trust them by."
        yield source["label"], text
    if agreed["mean"] < AGREEMENT:
        text = f"It agrees with people in only {spread(agreed, '%')} of {counted(agreed['n'], 'label')}."
        yield source["label"], text


def _reward(reward: Numbers) -> Iterator[About]:
    for row in reward["objectives"]:
        if side_of(row["accuracy"], CHANCE) <= 0:
            text = f"The head of {row['name']} is not shown to beat chance on held-out {row['kind']}: "
            text += f"{spread(row['accuracy'], '%')} of {row['n']} right. RL against it may follow noise."
            yield "reward", text
    if reward["unmeasured"]:
        text = f"Nothing was held out for {listed(reward['unmeasured'])}, so nobody knows what that reward is worth."
        yield "reward", text
    if reward["truncated"]:
        text = "cut to the length limit before the reward model saw them."
        yield "reward", f"{counted(int(reward['truncated']), 'row')} had to be {text}"


def _coverage(coverage: Numbers) -> Iterator[About]:
    for one in coverage["findings"]:
        if one["level"] != "pass":
            yield "coverage", f"{one['said'][0].upper()}{one['said'][1:]}: {one['remedy']}."


def _rl(rl: Numbers) -> Iterator[About]:
    if trip := rl["tripped"]:
        kept = f"the policy of step {trip['kept']}" if trip.get("kept") else "the policy that it started from"
        yield "rl", f"RL WAS STOPPED BY A GUARD at step {trip['step']}, and {kept} was kept. {trip['said']}."
    for one in rl["constraints"]:
        if one["infeasible"]:
            text = f"The constraint that {one['name']} be {one['way']} {number(one['bound'])} seems out of reach: its "
            yield "rl", text + "multiplier stayed at its largest, and it was still broken."
    counted_share = [value for panel in rl["panels"] if panel["key"] == "counted" for _, value in panel["points"]]
    if counted_share and (mean := sum(counted_share) / len(counted_share)) < LEARNT:
        text = f"Only {percent(mean)} of the answers that RL sampled ended by themselves and could be learnt from: "
        yield "rl", text + "raise rl.max_tokens, or say what to do with the others (rl.truncated)."
