"""Label again what was labelled: read stored answers anew, or ask only what an edit of the constitution touched.

Everything before the labels is taken as the run last had it: the comparisons stay the same, so that verdicts can be set
against verdicts. What the ledger holds is not asked again, and a principle's wording moves no draw; so after an edit of
one principle only its own rows are asked.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from caif.api import Guided, load_run
from caif.audit.changes import Change, changes
from caif.data import Judgement
from caif.errors import STOPPED, CaifError, nearest
from caif.hookspecs import Answer
from caif.ledger import Ledger
from caif.plan import models, recipe_of, steps
from caif.record import STAGES
from caif.run import Run, Stage, Work
from caif.stages.collect import KINDS
from caif.store import MANIFEST, Artifact, Draft, Store, key_of

MAKE_IT = "make it first: caif run FILE --until feedback"


class Relabelled(NamedTuple):
    """One source, labelled again. `outdated` are the stages that were made from labels that are no longer there."""

    source: str
    artifact: Artifact
    asked: int
    reused: int
    change: Change
    preferences: tuple[int, int]
    outdated: tuple[str, ...] = ()


def relabel(run: Guided, source: str = "", *, reparse: bool) -> list[Relabelled]:
    """Label the feedback of a run again, or one source of it.

    With `reparse` no model is asked: an answer that the ledger does not hold is an error. Without it, what is missing
    is asked. Raises CaifError where the run has not been made up to its feedback.
    """
    labelled = [step.name for step in steps(run) if step.by == "collect" and models(run, step.cfg)]
    if not labelled:
        raise CaifError(f"{run.config.name} has no feedback source that asks a model", "relabel is for AI labels")
    if source and source not in labelled:
        raise CaifError(f"{run.config.name} has no source {source!r} that asks a model", nearest(source, labelled))
    wanted = (source,) if source else tuple(labelled)
    if not (run.folder / STAGES).is_file():
        raise CaifError(f"{run.config.name} has not been run in {run.home}", MAKE_IT)
    with run.locked():
        again = Relabelling(run.config, run.home, run.plugins, run.base, run.tell)
        again.wanted, again.shut, again.recorded = wanted, reparse, load_run(run.folder).artifacts
        try:
            recipe_of(run.config, run.plugins)(again)
        except _AllDone:  # no failure: what is behind the last source in the recipe is not to be made
            pass
        finally:
            again.tell.close()
            again.close()
    return again.done


class _AllDone(Exception):
    """The last source that was wanted is labelled again."""


@dataclass
class Relabelling(Run):
    """A run that makes nothing but the constitution and the sources that are wanted."""

    wanted: tuple[str, ...] = ()
    shut: bool = False
    recorded: Mapping[str, Artifact] = field(default_factory=dict)
    done: list[Relabelled] = field(default_factory=list)

    @property
    def ledger(self) -> Any:
        """The ledger, watched."""
        return self.watched

    def __post_init__(self) -> None:
        super().__post_init__()
        self.store = self.careful = Careful(self.store.root)
        self.watched = Watched(Ledger(self.home / "ledger.db"))

    def close(self) -> None:
        """Close the ledger."""
        self.watched.close()

    def build(self, stage: Stage, *inputs: Artifact | None, cfg: Any, name: str = "") -> Artifact | None:
        """Return the stage's artifact as the run last had it, or label again."""
        name = name or stage.__name__
        if cfg is None:
            return None
        if stage.__name__ == "constitution":
            return super().build(stage, *inputs, cfg=cfg, name=name)
        if name in self.wanted:
            self.done.append(self._again(stage, inputs, cfg, name))
            if len(self.done) == len(self.wanted):
                raise _AllDone
            return self.done[-1].artifact
        if name not in self.recorded and stage.__name__ != "collect":
            raise CaifError(f"{self.config.name}: {name} has not been made", MAKE_IT)
        return self.recorded.get(name)

    def _again(self, stage: Stage, inputs: Sequence[Artifact | None], cfg: Any, name: str) -> Relabelled:
        key = key_of(name, stage.version, self.identity(cfg), inputs, self.config.seed)
        was, found = self.recorded.get(name), self.store.find(name, key)
        before = was.rows(Judgement) if was else []
        self.watched.begin(name, shut=self.shut)
        self.careful.outdated.clear()
        # What was made under this key was read by the code of its day: only --reparse makes it anew.
        artifact = found if found and not self.shut else self._make(self._complete(stage), inputs, cfg, name, key)
        counts = [made.counts.get("preference", 0) if made else 0 for made in (was, artifact)]
        return Relabelled(
            name, artifact, len(self.watched.missing), len(self.watched.found),
            changes(before, artifact.rows(Judgement)), (counts[0], counts[1]), tuple(self.careful.outdated),
        )  # fmt: skip

    def _complete(self, stage: Stage) -> Stage:
        """Return the stage, failing before its artifact is made if the ledger lacked an answer that it must have."""

        def checked(work: Work, *inputs: Artifact | None, cfg: Any) -> dict[str, Any]:
            try:
                metrics = stage(work, *inputs, cfg=cfg)
            except CaifError:
                self.watched.complain()  # what went wrong may have gone wrong for want of answers
                raise
            self.watched.complain()
            return metrics

        checked.__name__, checked.version = stage.__name__, stage.version  # type: ignore[attr-defined]
        return checked  # type: ignore[return-value]


@dataclass(frozen=True)
class Careful(Store):
    """A store in which what was made from labels goes before other labels take their place.

    So a power cut in between leaves the old labels and nothing made from them, never new labels and what belied them.
    """

    outdated: list[str] = field(default_factory=list)

    def finish(self, draft: Draft, facts: Mapping[str, Any]) -> Artifact:
        """Make a draft an artifact; where it replaces one of other content, set aside first what was made from that."""
        there = self.find(facts["stage"], facts["key"])
        if there and _content(there) != _content(Artifact(draft.folder, facts)):
            self.outdated.extend(outdate(self.root, facts["key"]))
        return super().finish(draft, facts)


class Watched:
    """The ledger, with an eye on what it held and what it did not; shut, what it does not hold is an error."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.begin("", shut=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def begin(self, stage: str, *, shut: bool) -> None:
        """Count from here, for another stage."""
        self.stage, self.shut = stage, shut
        self.found: set[str] = set()
        self.missing: set[str] = set()

    def get(self, keys: Sequence[str]) -> dict[str, Answer]:
        """Return the answers there are for these keys."""
        answers: dict[str, Answer] = self._ledger.get(keys)
        missing = set(keys) - answers.keys()
        self.missing |= missing - self.found
        self.found |= answers.keys() - self.missing
        if not self.shut:
            return answers
        return answers | dict.fromkeys(
            missing, Answer("", "error", detail="not in the ledger")
        )  # so all can be counted

    def complain(self) -> None:
        """Raise if an answer was missing while the ledger was shut."""
        if self.shut and self.missing:
            wanted = len(self.missing) + len(self.found)
            raise CaifError(
                f"{self.stage}: {len(self.missing):,} of {wanted:,} answers are not in the ledger; --reparse asks nobody",
                "caif run asks what is missing, --changed-only what an edit touched",
                code=STOPPED,
            )


def outdate(store: Path, key: str) -> tuple[str, ...]:
    """Set aside every artifact that was made, directly or not, from the one with this key; return their stages.

    Their keys say which labels they were made from and not how those were read, so they would be found as if up to
    date.
    """
    read = {file.parent: json.loads(file.read_text(encoding="utf-8")) for file in sorted(store.glob(f"*/{MANIFEST}"))}
    facts = {folder: f for folder, f in read.items() if folder.name == f"{f['stage']}-{f['key'][:16]}"}
    keys, stages = {key}, []
    while late := {folder: f for folder, f in facts.items() if keys & set(f["inputs"]) and f["key"] not in keys}:
        for folder, f in late.items():
            keys.add(f["key"])
            stages.append(f["stage"])
            folder.rename(_free(folder))
    return tuple(stages)


def _free(folder: Path) -> Path:
    names = (folder.with_name(f"{folder.name}.outdated-{n}") for n in count(1))
    return next(place for place in names if not place.exists())


def _content(artifact: Artifact) -> list[str]:
    return [row.id for kind in KINDS for row in artifact.rows(kind)]
