"""One row a feedback source, and a verdict on each: were these labels worth anything?"""

from typing import Any

from caif.data import FAILURES
from caif.intervals import CHANCE, side_of
from caif.report import agreement
from caif.report.estimate import average
from caif.report.gather import Made, SourceRows
from caif.report.rewards import quality
from caif.report.show import counted, listed, percent, spread

CAME_IN = ("pairs in", "thumbs in")
FLIPS = 0.25
"""Above this share of changed minds a judge mostly likes a place, not an answer."""


def source_rows(made: Made) -> list[dict[str, Any]]:
    """Return every source in the order of the run file, with its verdict."""
    people = agreement.People(made.sources)
    rows = [_row(made, source, people) for source in made.sources]
    return [row | {"verdict": verdict(row)} for row in rows]


def _row(made: Made, source: SourceRows, people: agreement.People) -> dict[str, Any]:
    mixed = (made.stages["combine"].metrics.get("sources") or {}) if "combine" in made.stages else {}
    learned = (made.stages["reward"].metrics.get("sources") or {}) if "reward" in made.stages else {}
    labels = [*source.judged, *source.built]
    return {
        "label": source.label,
        "use": source.artifact.facts["config"].get("use", ""),
        "by": _who(source),
        "judges": sorted({row.rater for row in source.judged}),
        "pairs": len(source.preferences),
        "thumbs": len(source.ratings),
        "up": sum(rating.up for rating in source.ratings),
        "judgements": len(source.judgements),
        "failed": agreement.failures(source.judgements, FAILURES),
        "silent": agreement.failures(source.judgements, ("tie", "not_applicable")),
        "tested": [test.model_dump(mode="json", exclude={"id", "source"}) for test in source.tested],
        "flips": agreement.flips(source.judgements),
        "mass": average(j.mass for j in source.judgements),
        "decided": average(abs(j.p_a - 0.5) for j in source.judgements if j.p_a is not None),
        "people": agreement.with_people(people, labels),
        "construction": agreement.with_construction(source.built, source.judgements),
        "mixture": mixed.get(source.label),
        "became": became(made, source.label),
        "reward": quality(learned.get(source.label)),
    }


def became(made: Made, label: str) -> dict[str, int]:
    """Return what became of a source's rows on their way into the preference data, by reason; {} if all simply went in."""
    counts = (made.stages["combine"].metrics.get("flow") or {}).get(label, {}) if "combine" in made.stages else {}
    return {what: n for what, n in counts.items() if what not in CAME_IN}


def _who(source: SourceRows) -> str:
    """Say who gave a source’s labels."""
    said = {
        "a judge": bool(source.judged),
        "construction": bool(source.built),
        "a rule": bool(source.ruled),
        "people": bool(source.peoples or source.ratings),
    }
    return listed([name for name, true in said.items() if true])


def verdict(row: dict[str, Any]) -> dict[str, str]:
    """Return a word and why. People are the yardstick, then construction; being learnable is neither."""
    if row["by"] == "people":
        return {
            "word": "yardstick",
            "text": f"People’s own labels: the others are measured against them. {_learned(row)}".strip(),
        }
    agreed, built, flips = row["people"]["all"], row["construction"], row["flips"]
    told = list(filter(None, [_orders(row), _with_people(agreed), _with_construction(built), _learned(row)]))
    checks = [side_of(estimate, CHANCE) for estimate in (agreed, built) if estimate]
    if -1 in checks:
        word = "contradicted"
    elif flips and flips["mean"] > FLIPS:
        word = "doubtful"
    elif 1 in checks:
        word = "supported"
    else:
        word = "not shown" if checks else "unchecked"
    return {"word": word, "text": " ".join(told)}


def _orders(row: dict[str, Any]) -> str:
    if not row["flips"]:
        return ""
    changed = f"{spread(row['flips'], '%')} of {row['flips']['n']}"
    text = f"The two orders of the same answers got different verdicts in {changed}"
    failed = sum(row["failed"].values())
    text += f", and {counted(failed, 'judgement')} failed" if failed else ""
    return text + (
        f"; {percent(row['mass'])} of the judge’s probability lay on the options." if row["mass"] is not None else "."
    )


def _with_people(estimate: dict[str, Any] | None) -> str:
    if not estimate:
        return "No label could be compared with a person’s."
    text = f"On the same answers people agreed with {spread(estimate, '%')} of {counted(estimate['n'], 'label')}"
    ends = {
        1: ", more than chance.",
        0: ", which chance alone could give.",
        -1: ", fewer than chance: these labels are upside down.",
    }
    return text + ends[side_of(estimate, CHANCE)]


def _with_construction(estimate: dict[str, Any] | None) -> str:
    if not estimate:
        return ""
    text = f"A judge picked the answer that was made to be better in {spread(estimate, '%')} of {estimate['n']}"
    return text + {1: ".", 0: ", which chance alone could give.", -1: ", less than chance."}[side_of(estimate, CHANCE)]


def _learned(row: dict[str, Any]) -> str:
    said = []
    for kind, one in row["reward"].items():
        text = f"The reward model predicts {spread(one['accuracy'], '%')} of {one['n']} held-out {kind}"
        said.append(text + ("." if side_of(one["accuracy"], CHANCE) > 0 else ", which is no better than chance."))
    return " ".join(said)
