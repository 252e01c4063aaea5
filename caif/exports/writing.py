"""Write a stage's labels in one tool's format, row by row; what is left out is counted by reason, and what became coarser."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from caif.content import Row
from caif.data import Preference, Rating
from caif.errors import FAILED, CaifError
from caif.exports.files import Files
from caif.exports.formats import Format
from caif.exports.rows import Pair, Thumb, Unfit, about, by_person, stored
from caif.feedback.personal import Mask
from caif.store import Artifact, table_name

KINDS: dict[type[Row], str] = {Preference: "preference", Rating: "unpaired"}
LOOKED = 500
"""About so many rows of a kind are searched for what is personal: all of a million would take an hour."""
MADE_HARD, NOT_READ = "soft labels made certain", "weights that the tool does not read"


@dataclass
class Tally:
    """What an export came to: rows by file and by source, what was left out and why, and what became coarser."""

    files: dict[str, int] = field(default_factory=dict)
    sources: dict[str, Counter[str]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    coarser: Counter[str] = field(default_factory=Counter)
    raters: set[str] = field(default_factory=set)
    looked: int = 0
    personal: Counter[str] = field(default_factory=Counter)
    """Rows, of those looked at, that hold what looks personal, by its kind."""

    @property
    def table(self) -> dict[str, Any]:
        """The tally as JSON. Raters are counted, never named."""
        return {
            "files": self.files, "sources": {name: dict(counts) for name, counts in sorted(self.sources.items())},
            "left_out": dict(self.left_out.most_common()), "coarser": {what: n for what, n in self.coarser.items() if n},
            "raters": len(self.raters), "looked": self.looked, "personal": dict(sorted(self.personal.items())),
        }  # fmt: skip

    def took(self, row: Mapping[str, Any], kind: type[Row], form: Format) -> None:
        """Count a row that was written."""
        self.sources.setdefault(row["source"], Counter())[KINDS[kind]] += 1
        if row["rater"] and by_person(row):
            self.raters.add(row["rater"])
        if not form.soft:
            self.coarser[MADE_HARD] += kind is Preference and row["probability"] < 1
            self.coarser[NOT_READ] += row["weight"] != 1

    def look(self, texts: Iterator[str]) -> None:
        """Look for what is personal in a row's texts."""
        mask = Mask()
        self.looked += 1
        self.personal.update({kind for text in texts for kind in mask(text)[1]})


def write(artifact: Artifact, form: Format, folder: Path, *, raters: bool = False) -> Tally:
    """Write all labels of a stage and the files that the tool wants beside them."""
    tally = Tally()
    with ExitStack() as stack:
        files = Files(folder, form, stack)
        for kind in KINDS:
            every = max(1, artifact.counts.get(table_name(kind), 0) // LOOKED)
            for n, row in enumerate(stored(artifact, kind)):
                try:
                    name, made = _made(row, kind, form, files, raters=raters)
                except Unfit as why:
                    tally.left_out[str(why)] += 1
                    continue
                files.put(name, made)
                tally.took(row, kind, form)
                if n % every == 0:
                    tally.look(_texts(row, kind))
    tally.files = dict(sorted(files.counts.items()))
    if not tally.files:
        reasons = ", ".join(f"{n} {what}" for what, n in tally.left_out.items()) or "it holds no pairs and no thumbs"
        raise CaifError(f"{artifact.stage}: nothing to export: {reasons}", "name another --stage or --to", code=FAILED)
    for name, text in form.beside(tally.files).items():
        (folder / name).write_text(text, encoding="utf-8")
    return tally


def _made(
    row: dict[str, Any], kind: type[Row], form: Format, files: Files, *, raters: bool
) -> tuple[str, dict[str, Any]]:
    """Return the file a row goes to, and the row as the tool has it."""
    split, talk = row["prompt"]["split"], row["prompt"]["messages"]
    name, told = files.name(KINDS[kind], split), about(row, kind, raters=raters)
    if row["weight"] == 0 and not form.soft:
        raise Unfit("weight 0: the tool would count it in full")
    if kind is Rating:
        if form.thumb is None:
            raise Unfit("thumbs, which the format does not have")
        return name, form.thumb(Thumb(talk, row["completion"], row["up"], told))
    if row["probability"] == 0.5 and not form.soft:
        raise Unfit("ties: the tool would take one side")
    return name, form.pair(Pair(talk, row["chosen"], row["rejected"], told, split, files.counts[name]))


def _texts(row: Mapping[str, Any], kind: type[Row]) -> Iterator[str]:
    yield from (message["content"] for message in row["prompt"]["messages"])
    names = ("chosen", "rejected") if kind is Preference else ("completion", "reason", "correction")
    yield from (row[name] for name in names)
