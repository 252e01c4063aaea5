"""What there is to review: the answers of a run, finished or not, with all that was said of them; or a feedback file."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from caif.constitution import Constitution
from caif.data import Comparison, Preference, Prompt, Rating, Rejected
from caif.errors import CaifError, nearest
from caif.formats.reviews import reviews
from caif.report.gather import gather
from caif.review.items import Item, Opinion, compared, opinions, pairs, thumbs
from caif.review.session import Question
from caif.store import Artifact

OBJECTIVE = "helpfulness"


class Material(NamedTuple):
    """What can be asked about, what judges said of it, and what people did; `reward` holds a reward model."""

    answers: Sequence[tuple[Prompt, str]]
    comparisons: Sequence[Comparison]
    opinions: Sequence[Opinion]
    people: Sequence[Preference | Rating]
    law: Constitution | None = None
    reward: Path | None = None

    def pairs(self, objective: str) -> list[Item]:
        """Return the questions about two answers, to be asked for an objective."""
        people = [row for row in self.people if isinstance(row, Preference)]
        return pairs(self.comparisons, self.opinions, people, objective)

    def thumbs(self, asked: Sequence[Item]) -> list[Item]:
        """Return the questions about single answers; what makes pairs of them useful is taken over."""
        return thumbs(self.answers, asked, [row for row in self.people if isinstance(row, Rating)])


def of_run(artifacts: Sequence[Artifact]) -> Material:
    """Return what a run has made so far: its samples, or the first answers where it has none, and its feedback."""
    wanted = [a for a in artifacts if a.by in ("constitution", "generate", "collect", "reward")]
    made = gather(wanted)
    answers = [row for row in made.samples or made.drafts if row.usable]
    built = [row for source in made.sources for row in source.built]
    people: list[Preference | Rating] = [row for source in made.sources for row in source.peoples]
    people += [row for source in made.sources for row in source.ratings]
    said = opinions(row for source in made.sources for row in source.judgements)
    return Material(
        [(row.prompt, row.text) for row in answers], [*compared(answers), *map(_comparison, built)], said, people,
        made.law, made.stages["reward"].model if "reward" in made.stages else None,
    )  # fmt: skip


def of_rows(rows: Sequence[Preference | Rating]) -> Material:
    """Return what a feedback file holds. A pair with a principle was labelled by a judge, one without by a person."""
    both = [row for row in rows if isinstance(row, Preference)]
    said = [
        Opinion(_comparison(row), row.probability, row.rater, row.principle, objective=row.objective)
        for row in both if row.principle
    ]  # fmt: skip
    answers = [(row.prompt, text) for row in both for text in (row.chosen, row.rejected)]
    answers += [(row.prompt, row.completion) for row in rows if isinstance(row, Rating)]
    people: list[Preference | Rating] = [row for row in rows if isinstance(row, Rating) or not row.principle]
    return Material(answers, list(map(_comparison, both)), said, people)


def votes_of_others(folder: Path, own: Path) -> list[Preference | Rating]:
    """Return what other raters of the same review have said so far, so that raters see different items first."""
    files = [file for file in sorted(folder.glob("*.jsonl")) if file != own]
    return [row for file in files for row in reviews()(file) if not isinstance(row, Rejected)]


def _comparison(row: Preference) -> Comparison:
    return Comparison(prompt=row.prompt, a=row.chosen, b=row.rejected)


def question(law: Constitution | None, objective: str) -> Question:
    """Return what is asked. Without a name it is helpfulness, or the first objective of a constitution without that."""
    if law is None:
        return Question(objective or OBJECTIVE)
    if objective and objective not in law.objectives:
        raise CaifError(f"--objective: {law.name} has no {objective!r}", nearest(objective, law.objectives))
    chosen = objective or (OBJECTIVE if OBJECTIVE in law.objectives else next(iter(law.objectives)))
    return Question(chosen, law.objectives[chosen])
