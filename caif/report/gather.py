"""Tell a run's artifacts apart and read their rows once. Any of them may be missing: a stage can be left out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from caif.constitution import Constitution, stored
from caif.data import Completion, Judgement, Preference, Prompt, Rating, Revision, Tested
from caif.store import Artifact

ORDER = (
    "constitution",
    "prompts",
    "generate",
    "revise",
    "sft",
    "sample",
    "collect",
    "combine",
    "reward",
    "coverage",
    "rl",
    "evaluate",
)
"""The stages in the order of the recipe; `generate` stands there twice, the second time under the name `sample`."""

OPTIONAL = ("coverage",)
"""Stages that a page does not miss where a run has none of them."""

IN_PLACE = {"rloo": "rl", "rlaif": "rl"}
"""Stages of other recipes that stand where one of these does."""

PEOPLE = ("pairs", "thumbs")
"""The sources that read what people said."""
BUILT = "construction"
"""The rater of a pair whose label comes from how its answers were made."""


class SourceRows(NamedTuple):
    """One feedback source and all it said."""

    artifact: Artifact
    preferences: list[Preference]
    ratings: list[Rating]
    judgements: list[Judgement]
    tested: Sequence[Tested] = ()

    @property
    def label(self) -> str:
        """The name of the source on its rows."""
        return self.artifact.stage

    @property
    def built(self) -> list[Preference]:
        """Its pairs whose label comes from how the answers were made."""
        return [row for row in self.preferences if row.rater == BUILT]

    @property
    def judged(self) -> list[Preference]:
        """Its pairs that a model labelled under a principle."""
        return [row for row in self.preferences if row.principle and row.rater != BUILT]

    @property
    def read(self) -> bool:
        """Whether it reads people's own files."""
        return (self.artifact.facts.get("config") or {}).get("use") in PEOPLE

    @property
    def peoples(self) -> list[Preference]:
        """Its pairs that people gave: they name a rater and no principle, or were read from people's own files."""
        return [p for p in self.preferences if not p.principle and p.rater != BUILT and (p.rater or self.read)]

    @property
    def ruled(self) -> list[Preference]:
        """Its pairs that nobody gave: a plugin's rule, which names neither principle nor rater."""
        return [row for row in self.preferences if not row.principle and not row.rater and not self.read]


@dataclass(frozen=True)
class Made:
    """What a run has made: its artifacts by stage, and their rows."""

    stages: dict[str, Artifact] = field(default_factory=dict)
    sources: list[SourceRows] = field(default_factory=list)
    others: list[Artifact] = field(default_factory=list)
    """What stages made that the built-in recipe does not have."""
    law: Constitution | None = None
    prompts: list[Prompt] = field(default_factory=list)
    drafts: list[Completion] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    samples: list[Completion] = field(default_factory=list)
    answers: list[Completion] = field(default_factory=list)
    verdicts: list[Judgement] = field(default_factory=list)
    """The judgements of the evaluation, in which `a` is the policy's answer."""

    @property
    def left_out(self) -> list[str]:
        """The stages that this run did not have."""
        return [
            name
            for name in ORDER
            if name not in self.stages and name not in OPTIONAL and (name != "collect" or not self.sources)
        ]

    @property
    def all(self) -> list[Artifact]:
        """Every artifact, in the order of the recipe."""
        before, after = ORDER[: ORDER.index("collect")], ORDER[ORDER.index("collect") :]
        return [
            *(self.stages[name] for name in before if name in self.stages),
            *(source.artifact for source in self.sources),
            *(self.stages[name] for name in after if name in self.stages),
            *self.others,
        ]


def gather(artifacts: Sequence[Artifact | None]) -> Made:
    """Return what is there of a run, told apart by who made it and under which name."""
    stages: dict[str, Artifact] = {}
    sources: list[SourceRows] = []
    others: list[Artifact] = []
    for artifact in map(_settled, filter(None, artifacts)):
        role = (
            "sample"
            if artifact.by == "generate" and artifact.stage == "sample"
            else IN_PLACE.get(artifact.by, artifact.by)
        )
        if role == "collect":
            kinds = artifact.rows(Preference), artifact.rows(Rating), artifact.rows(Judgement), artifact.rows(Tested)
            sources.append(SourceRows(artifact, *kinds))
        elif role in ORDER and role not in stages:
            stages[role] = artifact
        else:
            others.append(artifact)
    made = Made(stages, sources, others)
    return Made(
        stages, sources, others,
        law=stored(stages["constitution"]) if "constitution" in stages else None,
        prompts=_rows(made, "prompts", Prompt), drafts=_rows(made, "generate", Completion),
        revisions=_rows(made, "revise", Revision), samples=_rows(made, "sample", Completion),
        answers=_rows(made, "evaluate", Completion), verdicts=_rows(made, "evaluate", Judgement),
    )  # fmt: skip


def _settled(artifact: Artifact) -> Artifact:
    """Return it as it would be read from disk: a page must not depend on whether a stage was built or found."""
    return Artifact(artifact.folder, json.loads(json.dumps(artifact.facts, sort_keys=True, default=str)))


def _rows(made: Made, stage: str, kind: type) -> list:  # type: ignore[type-arg]
    return made.stages[stage].rows(kind) if stage in made.stages else []
