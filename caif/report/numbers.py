"""All the page says, as plain data: artifacts go in, a table of numbers and texts comes out, nothing is rendered."""

import math
from collections.abc import Sequence
from typing import Any

from caif.report.cautions import cautions
from caif.report.chains import chains
from caif.report.coverage import coverage_numbers
from caif.report.evaluation import evaluation_numbers
from caif.report.gather import Made
from caif.report.headline import sentences
from caif.report.principles import principle_rows
from caif.report.raters import rater_numbers
from caif.report.rewards import reward_numbers
from caif.report.sources import source_rows
from caif.report.stages import flow, models, settings, unused
from caif.report.training import rl_numbers


def numbers(made: Made, title: str = "", examples: int = 12) -> dict[str, Any]:
    """Return the page's content. Every key is always there; what a run does not have is None or empty."""
    table: dict[str, Any] = {
        "title": title or _title(made),
        "constitution": _constitution(made),
        "models": models(made),
        "flow": flow(made),
        "left_out": made.left_out,
        "principles": principle_rows(made),
        "sources": source_rows(made),
        "raters": rater_numbers(made),
        "reward": reward_numbers(made),
        "coverage": coverage_numbers(made),
        "rl": rl_numbers(made),
        "evaluation": evaluation_numbers(made),
        "chains": chains(made, examples),
        "unused": unused(made),
        "stages": settings(made),
    }
    table["cautions"] = cautions(table)
    table["summary"] = sentences(table)
    return plain(table if examples else wordless(table))  # type: ignore[no-any-return]


def _title(made: Made) -> str:
    """Return what the page is called: a run that trained nothing is not "trained on" its constitution."""
    trained = made.others or made.stages.keys() & {"sft", "reward", "rl"}
    what = "Trained on" if trained else "Feedback under"
    return f"{what} {made.law.name}" if made.law else "A training run"


def _constitution(made: Made) -> dict[str, Any] | None:
    law = made.law
    if law is None:
        return None
    return {
        "name": law.name,
        "version": law.version,
        "digest": law.digest,
        "objectives": dict(law.objectives),
        "principles": len(law.principles),
    }


def wordless(table: dict[str, Any]) -> dict[str, Any]:
    """Return the same without any text of the data: for a page that leaves the house."""
    unused = [entry | {"rows": [row | {"detail": ""} for row in entry["rows"]]} for entry in table["unused"]]
    coverage, raters = table["coverage"], table["raters"]
    if coverage:
        coverage = coverage | {side: _bare(coverage[side]) for side in ("label", "ask")}
    if raters:
        raters = raters | {"principles": [one | {"kinds": _bare(one["kinds"])} for one in raters["principles"]]}
    return table | {"unused": unused, "coverage": coverage, "raters": raters}


def _bare(groups: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [group | {"examples": []} for group in groups]


def plain(value: Any) -> Any:
    """Return JSON's own types: what is not a finite number becomes None, so that every reader of JSON can read it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
