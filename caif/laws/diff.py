"""What differs between two constitutions: by principle, field and word, and then label by label.

Only a principle whose question changed can change a verdict, so only those are asked again, under both wordings by the
same judge. What was asked under the old wording is found in the ledger: a question that is the same has the same key.
"""

import difflib
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from caif.constitution import Constitution, Principle
from caif.data import Comparison, Judgement
from caif.judge import Bench, judge_all

Kind = Literal["added", "removed", "renamed", "changed"]
ASKED = ("compare", "checks")
"""What a judge is shown of a principle."""
_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")


class Change(NamedTuple):
    """What became of a principle: its two sides (None where there is none), and the fields that differ, as words."""

    kind: Kind
    old: Principle | None
    new: Principle | None
    fields: dict[str, str]

    @property
    def name(self) -> str:
        """The principle's id, or both of them."""
        ids = dict.fromkeys(p.id for p in (self.old, self.new) if p)
        return " -> ".join(ids)

    @property
    def asks_anew(self) -> bool:
        """Whether a judge would be asked something else."""
        return bool(self.old and self.new) and any(getattr(self.old, f) != getattr(self.new, f) for f in ASKED)


def changes(old: Constitution, new: Constitution) -> list[Change]:
    """Return what was changed, renamed, removed and added, in the order of the files."""
    before, after = ({p.id: p for p in law.principles} for law in (old, new))
    gone = {name: p for name, p in before.items() if name not in after}
    come = {name: p for name, p in after.items() if name not in before}
    found = []
    for name, p in before.items():
        if name in after and p != after[name]:
            found.append(Change("changed", p, after[name], fields(p, after[name])))
        elif name in gone and (same := next((q for q in come.values() if q.digest == p.digest), None)):
            del gone[name], come[same.id]
            found.append(Change("renamed", p, same, fields(p, same)))
    found += [Change("removed", p, None, {}) for p in gone.values()]
    return found + [Change("added", None, p, {}) for p in come.values()]


def fields(old: Principle, new: Principle) -> dict[str, str]:
    """Return each field that differs, with the words that were taken out and put in."""
    pairs = {
        name: (_text(getattr(old, name)), _text(getattr(new, name))) for name in Principle.model_fields if name != "id"
    }
    return {name: words(a, b) for name, (a, b) in pairs.items() if a != b}


def words(old: str, new: str) -> str:
    """Return one text with `[-what was taken out-]` and `{+what was put in+}`, word by word."""
    a, b = _TOKEN.findall(old), _TOKEN.findall(new)
    parts = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        out, put = "".join(a[i:j]), "".join(b[k:m])
        parts.append(out if tag == "equal" else (f"[-{out}-]" if out else "") + (f"{{+{put}+}}" if put else ""))
    return "".join(parts)


class Relabelled(NamedTuple):
    """One comparison under both wordings of a principle."""

    old: Judgement
    new: Judgement

    @property
    def outcome(self) -> Literal["same", "flipped", "lost", "gained"]:
        """What became of the label: a tie is none."""
        decided = [j.verdict if j.verdict in ("a", "b") else "" for j in (self.old, self.new)]
        if decided[0] == decided[1]:
            return "same"
        return "flipped" if all(decided) else "lost" if decided[0] else "gained"


def relabel(
    bench: Bench, found: Sequence[Change], pairs: Sequence[tuple[Comparison, str]]
) -> dict[str, list[Relabelled]]:
    """Have a judge judge again what a changed question could change, under both wordings.

    `pairs` are comparisons, each with the id of the old constitution's principle that it stands under, "" for all.
    """
    touched = [change for change in found if change.asks_anew]
    asked = [
        (change, c)
        for change in touched
        for c, name in pairs
        if change.old and change.new and name in ("", change.old.id)
        if change.old.applies(c.prompt.tags) and change.new.applies(c.prompt.tags)
    ]
    before = judge_all(bench, [(c, change.old) for change, c in asked if change.old])
    after = judge_all(bench, [(c, change.new) for change, c in asked if change.new])
    table: dict[str, list[Relabelled]] = {change.name: [] for change in touched}
    for (change, _), old, new in zip(asked, before, after, strict=True):
        table[change.name].append(Relabelled(old, new))
    return table


def counted(rows: Sequence[Relabelled]) -> dict[str, Any]:
    """Return how many labels stay, flip, are lost and are gained, and how far the probability moves on average."""
    outcomes = [row.outcome for row in rows]
    moves = [abs(r.old.p_a - r.new.p_a) for r in rows if r.old.p_a is not None and r.new.p_a is not None]
    return {
        "labels": len(rows),
        **{name: outcomes.count(name) for name in ("same", "flipped", "lost", "gained")},
        "mean_move": sum(moves) / len(moves) if moves else None,
    }


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "\n".join(item if isinstance(item, str) else "; ".join(f"{k}: {v}" for k, v in item) for item in value)
    return value if isinstance(value, str) else f"{value}"
