"""Artifacts: what a stage made, in a folder named by everything that could change it.

`store/<stage>-<key>/` holds Parquet tables, perhaps a model, and `artifact.json`, which is written last, so that its
existence means the artifact is whole. The key digests the stage's name, version, config and its inputs' keys; so a
finished stage is found again, an edited one is made anew, and two runs that differ late share what came before.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from caif.content import Row, digest
from caif.errors import CaifError
from caif.lazy import LazyRows
from caif.tables import BROKEN, Table, read_rows, table_name, write_rows

__all__ = [
    "MANIFEST", "Artifact", "Draft", "Store", "key_of", "partial", "read_rows", "settle", "table_name", "write_rows", "write_text",
]  # fmt: skip

MANIFEST = "artifact.json"
PARTIAL = ".partial"
CHECKPOINTS = "checkpoints"

R = TypeVar("R", bound=Row)
S = TypeVar("S", bound=Sequence[Row])


@dataclass(frozen=True)
class Artifact:
    """A finished stage's folder. `facts` is its artifact.json: config, counts, metrics, inputs, versions."""

    folder: Path
    facts: Mapping[str, Any]

    @property
    def stage(self) -> str:
        """The section of the run file that made it."""
        return str(self.facts["stage"])

    @property
    def by(self) -> str:
        """The name of the stage function that made it."""
        return str(self.facts["by"])

    @property
    def key(self) -> str:
        """The digest of all that could change it."""
        return str(self.facts["key"])

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The numbers its stage returned."""
        return self.facts["metrics"]  # type: ignore[no-any-return]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many rows of what it holds, and how many were turned away for which reason."""
        return self.facts["counts"]  # type: ignore[no-any-return]

    @property
    def model(self) -> Path:
        """The folder of the model it holds."""
        return self.folder / "model"

    def rows(self, kind: type[R]) -> list[R]:
        """Return its rows of one kind, [] if it has none. Ids are checked against content, and that none is missing."""
        file = self._file(kind)
        return self._whole(read_rows(file, kind) if file.is_file() else [], kind)

    def lazily(self, kind: type[R]) -> LazyRows[R]:
        """Return the same rows, each read and checked when it is asked for; that none is missing is checked at once."""
        return self._whole(LazyRows(self._file(kind), kind), kind)

    def _file(self, kind: type[Row]) -> Path:
        return self.folder / f"{table_name(kind)}.parquet"

    def _whole(self, rows: S, kind: type[Row]) -> S:
        if len(rows) != (written := self.counts.get(table_name(kind), 0)):
            raise CaifError(f"{self._file(kind)}: holds {len(rows)} rows where {written} were written", BROKEN)
        return rows


@dataclass
class Draft:
    """An artifact while its stage works on it: write rows, count what is turned away, use `model` for weights."""

    folder: Path
    checkpoints: Path
    """Where a training keeps what it needs to go on; it outlives the draft, and goes when the artifact is there."""
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def model(self) -> Path:
        """Where the stage puts a model; made on first use."""
        path = self.folder / "model"
        path.mkdir(exist_ok=True)
        return path

    def write(self, rows: Iterable[Row], kind: type[Row]) -> None:
        """Write all rows of one kind."""
        with self.table(kind) as table:
            for row in rows:
                table.add(row)

    @contextmanager
    def table(self, kind: type[Row]) -> Iterator[Table]:
        """Write rows of one kind while the block lasts, so that the stage need not hold them all."""
        with Table(self.folder / f"{table_name(kind)}.parquet", kind) as table:
            yield table
        self.counts[table_name(kind)] = table.count

    def count(self, what: str, by: int = 1) -> None:
        """Count an event worth knowing, such as a row turned away and why; what never happened is not mentioned."""
        if by:
            self.counts[what] = self.counts.get(what, 0) + by


@dataclass(frozen=True)
class Store:
    """The folder of all artifacts."""

    root: Path

    def place(self, stage: str, key: str) -> Path:
        """Return where the artifact of a stage with this key lies, whether made or not."""
        return self.root / f"{stage}-{key[:16]}"

    def find(self, stage: str, key: str) -> Artifact | None:
        """Return the finished artifact, or None if it is not there or not whole."""
        manifest = self.place(stage, key) / MANIFEST
        if not manifest.is_file():
            return None
        try:
            facts = json.loads(manifest.read_text(encoding="utf-8"))
            found = facts["key"]
        except (ValueError, LookupError, TypeError):
            raise CaifError(f"{manifest}: cannot be read", BROKEN) from None
        if found != key:
            raise CaifError(f"{manifest}: holds key {found}, not {key}", BROKEN)
        return Artifact(manifest.parent, facts)

    def draft(self, stage: str, key: str) -> Draft:
        """Return an empty place to build in. What an interrupted build left there is thrown away."""
        folder = partial(self.place(stage, key))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return Draft(folder, self._checkpoints(stage, key))

    def scratch(self, stage: str, key: str, folder: Path) -> Draft:
        """Return a draft that never becomes an artifact, for a process that only helps to train."""
        return Draft(folder, self._checkpoints(stage, key))

    def _checkpoints(self, stage: str, key: str) -> Path:
        return self.root.with_name(CHECKPOINTS) / self.place(stage, key).name

    def finish(self, draft: Draft, facts: Mapping[str, Any]) -> Artifact:
        """Make a draft an artifact: everything to disk, the manifest last, then one rename."""
        manifest = draft.folder / MANIFEST
        write_text(manifest, json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False, default=str))
        settle(draft.folder)
        final = draft.folder.with_name(draft.folder.name.removesuffix(PARTIAL))
        shutil.rmtree(final, ignore_errors=True)
        draft.folder.rename(final)
        _sync(final.parent)
        shutil.rmtree(draft.checkpoints, ignore_errors=True)
        return Artifact(final, facts)


def partial(place: Path) -> Path:
    """Return where an artifact is built before it is put in its place."""
    return place.with_name(place.name + PARTIAL)  # with_suffix would cut a name with a dot in it


def write_text(file: Path, text: str) -> None:
    """Write a text file so that a reader sees the old one or the new one, never half of it."""
    scratch = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    scratch.write_text(text, encoding="utf-8")
    _sync(scratch)
    scratch.replace(file)


def settle(folder: Path) -> None:
    """Have all files of a folder on the disk before anything else is written."""
    for file in folder.rglob("*"):
        if file.is_file():
            _sync(file)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def key_of(stage: str, version: int, identity: object, inputs: Sequence[Artifact | None], seed: int) -> str:
    """Return an artifact's key: everything that could change its content, and nothing else."""
    return digest([stage, version, identity, [i.key if i else None for i in inputs], seed])
