"""The way through: what each stage made, how long it took, what it could not use, and with which settings."""

import json
from typing import Any

from caif.data import Row
from caif.report.gather import ORDER, Made
from caif.report.show import counted, discreet
from caif.store import Artifact, table_name

KINDS = {table_name(kind) for kind in Row.__subclasses__()}
USED = {"accepted", "pairs from thumbs", "principles", "finish: stop", "verdict: a", "verdict: b"}
EXAMPLES = 5
"""Of the rows turned away for one reason, how many are shown."""


def flow(made: Made) -> list[dict[str, Any]]:
    """Return every stage of the recipe in order, the left-out ones too, with one phrase on what it made."""
    steps: list[dict[str, Any]] = []
    for name in ORDER:
        if name == "collect" and made.sources:
            steps += [_step(source.artifact, branch=True) for source in made.sources]
        elif name in made.stages:
            steps.append(_step(made.stages[name]))
        else:
            steps.append({"stage": name, "made": None, "unused": 0, "seconds": None, "branch": name == "collect"})
    return steps + [_step(artifact) for artifact in made.others]


def _step(artifact: Artifact, *, branch: bool = False) -> dict[str, Any]:
    return {
        "stage": artifact.stage,
        "made": _phrase(artifact),
        "unused": sum(entry["n"] for entry in _unused(artifact)),
        "seconds": artifact.facts.get("seconds"),
        "branch": branch,
    }


def _phrase(artifact: Artifact) -> str:
    m, c = artifact.metrics, artifact.counts
    if artifact.by == "constitution":
        return counted(c.get("principles", 0), "principle")
    if artifact.by == "prompts":
        return f"{counted(c.get('prompt', 0), 'prompt')}: {m.get('train', 0):,} for training, {m.get('heldout', 0):,} held out"
    if artifact.by == "revise":
        return f"{m.get('revised', 0):,} of {counted(m.get('answers', 0), 'answer')} revised"
    if artifact.by == "sft":
        return f"tuned on {counted(m['rows'], 'answer')}" if "rows" in m else "a tuned model"
    if artifact.by == "reward":
        return f"one head each for {counted(len(m.get('objectives') or ()), 'objective')}"
    if artifact.by == "rl":
        return f"a policy, {counted(len(m.get('steps') or ()), 'logged step')}"
    names = {"completion": "answer", "preference": "pair", "rating": "thumb"}
    kept = [counted(n, names.get(kind, kind)) for kind, n in c.items() if kind in KINDS - {"rejected"} and n]
    return ", ".join(kept) or "no rows"


def unused(made: Made) -> list[dict[str, Any]]:
    """Return what was turned away, merged or cut off, by stage and reason, with some of the rows it befell."""
    return [entry for artifact in made.all for entry in _unused(artifact, examples=True)]


def _unused(artifact: Artifact, *, examples: bool = False) -> list[dict[str, Any]]:
    rejected = _rejected(artifact) if examples else {}
    return [
        {
            "stage": artifact.stage,
            "reason": what,
            "n": n,
            "rows": rejected.get(what.removeprefix("rejected: "), [])[:EXAMPLES],
        }
        for what, n in sorted(artifact.counts.items())
        if n and what not in KINDS | USED
    ]


def _rejected(artifact: Artifact) -> dict[str, list[dict[str, str]]]:
    from caif.data import Rejected

    table: dict[str, list[dict[str, str]]] = {}
    for row in artifact.rows(Rejected):
        table.setdefault(row.reason, []).append({"where": row.where, "detail": row.detail})
    return table


def settings(made: Made) -> list[dict[str, Any]]:
    """Return how each artifact came about: its key, its inputs, its settings and what it was made with."""
    names = {artifact.key: artifact.stage for artifact in made.all}
    rows = []
    for artifact in made.all:
        facts = artifact.facts
        environment = {str(k): v for k, v in (facts.get("environment") or {}).items()}
        rows.append({
            "stage": artifact.stage,
            "by": artifact.by,
            "version": facts.get("version"),
            "key": artifact.key,
            "seed": facts.get("seed"),
            "inputs": [names.get(key, key[:16]) for key in facts.get("inputs") or () if key],
            "seconds": facts.get("seconds"),
            "calls": environment.pop("calls", facts.get("calls")),
            "environment": environment,
            "config": discreet(json.dumps(facts.get("config"), indent=2, ensure_ascii=False, sort_keys=True)),
        })  # fmt: skip
    return rows


def models(made: Made) -> list[dict[str, str]]:
    """Return which model did what, as far as the artifacts say."""
    roles = []
    for stage, artifact in made.stages.items():
        configured = (artifact.facts["config"].get("model") or {}).get("use", "")
        used = str(artifact.metrics.get("model") or configured)
        if stage == "evaluate":
            used = str(artifact.metrics.get("judge") or "")
        if used:
            roles.append({"stage": "evaluate (judge)" if stage == "evaluate" else stage, "model": used})
    for source in made.sources:
        judges = sorted({j.judge for j in source.judgements} | {row.rater for row in source.judged})
        roles += [{"stage": f"{source.label} (judge)", "model": judge} for judge in judges]
    return [{"stage": role["stage"], "model": discreet(role["model"])} for role in roles]
