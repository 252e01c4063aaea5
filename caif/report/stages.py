"""The way through: what each stage made, how long it took, what it could not use, and with which settings."""

import json
from typing import Any

from caif.content import Row
from caif.data import Rejected
from caif.report.gather import OPTIONAL, ORDER, Made
from caif.report.show import counted, discreet, listed
from caif.store import Artifact, table_name

KINDS = {table_name(kind) for kind in Row.__subclasses__()}
ORDINARY = {
    "accepted", "pairs from thumbs", "thumbs in pairs", "pairs fused", "thumbs fused", "principles", "finish: stop",
    "verdict: a", "verdict: b",
}  # fmt: skip
"""Counts of what went as it should."""

KEPT = {
    "finish: length", "cut to max_length", "prompt cut to max_length", "duplicate merged", "verdict: tie",
    "the same opinion from another source", "same label of another record: weights added",
    "near-duplicate: shares the weight of one",
}  # fmt: skip
"""Counts of rows that were used all the same."""

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
        elif name not in OPTIONAL:
            steps.append({"stage": name, "made": None, "unused": 0, "seconds": None, "branch": name == "collect"})
    return steps + [_step(artifact) for artifact in made.others]


def _step(artifact: Artifact, *, branch: bool = False) -> dict[str, Any]:
    return {
        "stage": artifact.stage,
        "made": _phrase(artifact),
        "unused": sum(entry["n"] for entry in _unused(artifact) if not entry["kept"]),
        "seconds": artifact.facts.get("seconds"),
        "branch": branch,
    }


def _phrase(artifact: Artifact) -> str:
    m, c = artifact.metrics, artifact.counts
    splits = f"{m.get('train', 0):,} for training, {m.get('heldout', 0):,} held out"
    phrases = {
        "constitution": counted(c.get("principles", 0), "principle"),
        "prompts": f"{counted(c.get('prompt', 0), 'prompt')}: {splits}",
        "revise": f"{m.get('revised', 0):,} of {counted(m.get('answers', 0), 'answer')} revised",
        "sft": f"tuned on {counted(m['rows'], 'answer')}" if "rows" in m else "a tuned model",
        "reward": f"one head each for {counted(len(m.get('objectives') or ()), 'objective')}",
        "coverage": f"may RL begin: {m.get('verdict', 'not told')}",
        **dict.fromkeys(
            ("rl", "rloo", "rlaif", "dpo", "kto"), f"a policy, {counted(len(m.get('steps') or ()), 'logged step')}"
        ),
        "soup": "a policy, the others’ average",
    }
    names = {"completion": "answer", "preference": "pair", "rating": "thumb", "tested": "test"}
    kept = [counted(n, names.get(kind, kind)) for kind, n in c.items() if kind in KINDS - {"rejected"} and n]
    return phrases.get(artifact.by) or ", ".join(kept) or "no rows"


def unused(made: Made) -> list[dict[str, Any]]:
    """Return what was turned away, merged or cut off, by stage and reason, with some of the rows it befell."""
    return [entry for artifact in made.all for entry in _unused(artifact, examples=True)]


def _unused(artifact: Artifact, *, examples: bool = False) -> list[dict[str, Any]]:
    rejected = _rejected(artifact) if examples else {}
    return [
        {
            "stage": artifact.stage,
            "reason": _reason(what),
            "n": n,
            "kept": what in KEPT,
            "rows": rejected.get(what.removeprefix("rejected: "), [])[:EXAMPLES],
        }
        for what, n in sorted(artifact.counts.items())
        if n and what not in KINDS | ORDINARY
    ]


def _reason(what: str) -> str:
    kind, _, rest = what.partition(": ")
    if kind == "finish":
        return "cut off at the token limit" if rest == "length" else f"answer {rest}"
    return rest if kind == "rejected" else f"judgement: {rest}" if kind == "verdict" else what


def _rejected(artifact: Artifact) -> dict[str, list[dict[str, str]]]:
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
    roles: list[dict[str, str]] = []
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
    names = dict.fromkeys(role["model"] for role in roles)
    return [
        {"model": discreet(name), "stages": listed([r["stage"] for r in roles if r["model"] == name])} for name in names
    ]
