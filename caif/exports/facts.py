"""What a card tells, as plain data: from the constitution, the mixture's numbers, the run's report, and the export."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from caif.constitution import Constitution, stored
from caif.exports.formats import Format
from caif.exports.writing import Tally
from caif.store import Artifact

REPORT = "report.json"
DOUBLED, TURNED_AWAY = "duplicate row", "rejected: "
"""How a feedback source counts rows that it left out while it read."""


def facts(
    made: Sequence[Artifact],
    artifact: Artifact,
    form: Format,
    tally: Tally,
    licences: Mapping[str, str],
    *,
    raters: bool,
) -> dict[str, Any]:
    """Return the card's content. What a run has not made, such as a report, is None or empty.

    A mixture knows how many people stand behind its rows, of which those made of several labels name none.
    """
    by = {one.by: one for one in made}
    told = _report(by.get("report"))
    sources = {part for name in tally.sources for part in parts(name)}
    people = told.get("raters") or {}
    return {
        "format": {"name": form.name, "load": form.loading(tally.files), "lost": form.lost},
        "stage": artifact.stage,
        "law": _law(stored(by["constitution"])) if "constitution" in by else None,
        **tally.table,
        "raters": artifact.metrics.get("raters", len(tally.raters)),
        "licences": {name: [licences.get(part, "") for part in parts(name)] for name in tally.sources},
        "flow": _flow(made, artifact, sources),
        "mixed": _mixed(artifact),
        "reported": bool(told),
        "judged": [row for row in told.get("sources", ()) if row["label"] in sources],
        "agreement": people.get("agreement") or {},
        "signals": people.get("signals"),
        "cautions": [row["text"] for row in told.get("cautions", ())],
        "named": raters,
    }


def parts(source: str) -> list[str]:
    """Return the sources that a row's source names: what was made of labels of several names them all."""
    return source.split("+")


def _flow(made: Sequence[Artifact], artifact: Artifact, sources: Collection[str]) -> dict[str, dict[str, int]]:
    """Return what became of each source's rows: those that its reading could not use, by reason, and the mixture's counts."""
    mixed: Mapping[str, Mapping[str, int]] = artifact.metrics.get("flow") or {}
    unused = {
        one.stage: {what: n for what, n in one.counts.items() if what == DOUBLED or what.startswith(TURNED_AWAY)}
        for one in made if one.by == "collect" and (one.stage in sources or one.stage in mixed)
    }  # fmt: skip
    flow = {name: {**unused.get(name, {}), **mixed.get(name, {})} for name in sorted({*unused, *mixed})}
    return {name: counts for name, counts in flow.items() if counts}


def _report(artifact: Artifact | None) -> dict[str, Any]:
    """Return the numbers of the run's report, {} if it has made none."""
    file = artifact.folder / REPORT if artifact else None
    return json.loads(file.read_text(encoding="utf-8")) if file and file.is_file() else {}


def _law(law: Constitution) -> dict[str, Any]:
    principles = [
        {"id": one.id, "objective": one.objective, "digest": one.digest, "compare": one.compare}
        for one in law.principles
    ]
    about = {"name": law.name, "version": law.version, "digest": law.digest, "objectives": dict(law.objectives)}
    return {**about, "principles": principles}


def _mixed(artifact: Artifact) -> dict[str, Any]:
    """Return what [combine] was told to do, without the folders of its files."""
    config = dict(artifact.facts.get("config") or {}) if artifact.by == "combine" else {}
    if sets := config.get("evaluation_sets"):
        config["evaluation_sets"] = [Path(str(file)).name for file in sets]
    return {
        name: json.dumps(value, ensure_ascii=False, default=str)
        for name, value in config.items()
        if value not in ([], {}, "")
    }
