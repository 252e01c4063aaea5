"""One row a principle: from its sentence to its labels, its head and the change in the policy."""

from collections.abc import Sequence
from typing import Any

from caif.audit.bootstrap import mean_by_prompt
from caif.constitution import Principle
from caif.data import FAILURES, Judgement
from caif.intervals import CHANCE, Estimate, share
from caif.report import agreement
from caif.report.estimate import average
from caif.report.gather import Made, SourceRows
from caif.report.rewards import quality

UNKNOWN = "not in this constitution"


def principle_rows(made: Made) -> list[dict[str, Any]]:
    """Return every principle of the constitution in its order, then any that only labels name."""
    people = agreement.People(made.sources)
    known = {p.id: p for p in made.law.principles} if made.law else {}
    named = [row.principle for source in made.sources for row in source.preferences]
    named += [judgement.principle for source in made.sources for judgement in source.judgements]
    named += [judgement.principle for judgement in made.verdicts]
    ids = [*known, *sorted({name for name in named if name} - known.keys())]
    return [_row(made, people, name, known.get(name)) for name in ids]


def _row(made: Made, people: agreement.People, name: str, principle: Principle | None) -> dict[str, Any]:
    sources = [_only(source, name) for source in made.sources]
    labels = [row for source in sources for row in [*source.judged, *source.built]]
    judged = [j for source in sources for j in source.judgements]
    alone = [j for source in sources if not source.built for j in source.judgements]
    built = [row for source in sources for row in source.built]
    turns = [turn for revision in made.revisions for turn in revision.turns if turn.principle == name]
    verdicts = [j for j in made.verdicts if j.principle == name]
    metrics = made.stages["reward"].metrics if "reward" in made.stages else {}
    return {
        "id": name,
        "objective": principle.objective if principle else UNKNOWN,
        "compare": principle.compare if principle else "",
        "weight": principle.weight if principle else None,
        "critiques": len(turns),
        "revised": sum(not turn.rejected for turn in turns),
        "drawn": len(alone) + len(built),
        "labels": len(labels),
        "failed": agreement.failures(judged, FAILURES),
        "silent": agreement.failures(judged, ("tie", "not_applicable")),
        "flips": agreement.flips(judged),
        "decided": average(abs(j.p_a - 0.5) for j in judged if j.p_a is not None),
        "people": agreement.with_people(people, labels),
        "construction": agreement.with_construction(built, judged),
        "reward": quality((metrics.get("principles") or {}).get(name)),
        "policy": win_rate(verdicts),
    }


def win_rate(verdicts: Sequence[Judgement]) -> Estimate | None:
    """Return how often the policy's answer won, ties one half, as the mean over prompts; failures are left out."""
    valid = [j for j in verdicts if j.p_a is not None]
    won = [(j.comparison.prompt.id, CHANCE if j.verdict == "tie" else float(j.verdict == "a")) for j in valid]
    by_prompt = mean_by_prompt(won)
    return share(sum(by_prompt.values()), len(by_prompt))


def _only(source: SourceRows, principle: str) -> SourceRows:
    """Return what a source said under one principle."""
    return SourceRows(
        source.artifact,
        [row for row in source.preferences if row.principle == principle],
        [],
        [j for j in source.judgements if j.principle == principle],
    )
