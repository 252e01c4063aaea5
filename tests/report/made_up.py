"""A made-up run, small enough to count by hand, written with the store's own code; and the same one gone bad."""

from pathlib import Path
from typing import Any

from made_up_rows import LAW, PARTS

from caif.constitution import FILE, Constitution
from caif.content import digest
from caif.store import Artifact, Store

HOSTILE = (
    '"><script>window.pwned=1</script><img src=x onerror="window.pwned=1"></textarea></style></title></pre></details>'
    "<svg onload=window.pwned=1><a href='javascript:window.pwned=1'>x</a><iframe src=http://evil.invalid/></iframe>"
    "<base href=//evil.invalid>"
    "<style>@import 'http://evil.invalid/';</style><!-- --><link rel=stylesheet href=http://evil.invalid/>"
    "\x1b[31m[/red]\x00\x9b\u202egnp\u200b\ufeff{{ 7 * 191 }}{% raw %}&lt;script&gt;\r\n]]>"
)
"""A text that tries everything: markup, templates, terminal escapes, and characters that hide or turn others around."""

FIXED = {"order", "id", "role", "verdict", "finish", "split", "rater"}
"""Fields that hold one of a few words, or that say who gave a label."""

NAMED = {"measures", "wins", "objectives", "sources", "principles", "scale", "people_agree"}
"""Tables of metrics whose keys are names from the run file, from data or from plugins."""


def made_up(folder: Path, spice: str = "") -> dict[str, Artifact]:
    """Build the whole run; every stage by its name. `spice` is put at the end of every text that comes from outside."""
    store, built = Store(folder), {}
    for stage, make in PARTS.items():
        by, tables, counts, metrics = make()
        draft = store.draft(stage, digest(stage))
        if stage == "constitution":
            (draft.folder / FILE).write_text(_spiced(LAW, spice).model_dump_json(), encoding="utf-8")
        for kind, rows in tables.items():
            draft.write([_spiced(row, spice) for row in rows], kind)
        for what, n in counts.items():
            draft.count(f"{what}{spice}" if ": " in what else what, n)
        config = metrics.pop("config", {}) | (
            {"model": {"use": f"embedded:0.5b{spice}"}} if stage in ("sft", "reward", "rl") else {}
        )
        built[stage] = store.finish(draft, {
            "stage": stage + spice if by == "collect" else stage, "by": by, "key": digest(stage), "version": 1,
            "seed": 0,
            "counts": draft.counts, "config": config, "metrics": _renamed(metrics, spice) if spice else metrics,
            "inputs": [built["prompts"].key] if "prompts" in built else [],
            "seconds": 10.0 + len(built), "environment": {"caif": f"0.1.0{spice}", f"python{spice}": "3.11"},
        })  # fmt: skip
    return built


def _spiced(row: Any, spice: str) -> Any:
    def walk(value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {k: walk(v, k) for k, v in value.items() if k != "id" or isinstance(row, Constitution)}
        if isinstance(value, list):
            return [walk(item, name) for item in value]
        names = {"name", "objective"} if isinstance(row, Constitution) else set()
        return value + spice if isinstance(value, str) and name not in FIXED | names | set(LAW.objectives) else value

    return type(row).model_validate(walk(row.model_dump(mode="json"), "")) if spice else row


def _renamed(metrics: dict[str, Any], spice: str) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in metrics.items():
        if name in NAMED:
            table[name] = {f"{key}{spice}": item for key, item in value.items()}
        elif name == "steps" and isinstance(value, list):
            table[name] = [step | {f"rewards/{spice}/mean": 0.5} for step in value]
        else:
            table[name] = value + spice if isinstance(value, str) else value
    return table
