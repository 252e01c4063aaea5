"""What a feedback file says before anything is done with it: how much, by whom, which way, when, and what is odd about it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from caif.content import rng
from caif.data import Preference, Rating, Rejected
from caif.feedback.personal import masked
from caif.feedback.tally import Tally
from caif.report.show import counted

EXAMPLES = 5
SHOWN = 160
CROWDED = 0.5
"""A larger share of one rater is worth a word."""


@dataclass
class Survey:
    """What was counted, and some rows drawn by chance. Memory grows with raters, conversations and rated answers."""

    tally: Tally = field(default_factory=Tally)
    raters: Counter[str] = field(default_factory=Counter)
    conversations: set[str] = field(default_factory=set)
    reasons: int = 0
    corrections: int = 0
    span: tuple[float, float] | None = None
    examples: list[Rating | Preference] = field(default_factory=list)
    liked: set[int] = field(default_factory=set)
    disliked: set[int] = field(default_factory=set)

    @property
    def contradicted(self) -> int:
        """How many answers have thumbs up and thumbs down."""
        return len(self.liked & self.disliked)

    @property
    def most_active(self) -> float:
        """The share of the most active rater in the rows whose rater is known."""
        return max(self.raters.values(), default=0) / (self.raters.total() or 1)

    @property
    def table(self) -> dict[str, Any]:
        """The survey as JSON."""
        return {
            **self.tally.table,
            "reasons": self.reasons,
            "corrections": self.corrections,
            "raters": {
                "known": len(self.raters),
                "rows": self.raters.total(),
                "most_active": round(self.most_active, 4),
            },
            "conversations": len(self.conversations),
            "contradicted": self.contradicted,
            "span": [_day(moment) for moment in self.span] if self.span else None,
            "examples": [example(row) for row in self.examples],
            "warnings": warnings(self),
        }


def survey(rows: Iterable[Rating | Preference | Rejected]) -> Survey:
    """Count the rows of a file, and draw examples so that each row has the same chance to be one."""
    made, random = Survey(), rng("examples")
    for row in rows:
        made.tally.add(row)
        if isinstance(row, Rejected):
            continue
        if row.rater:
            made.raters[row.rater] += 1
        if row.origin.conversation:
            made.conversations.add(row.origin.conversation)
        if row.origin.at is not None:
            low, high = made.span or (row.origin.at, row.origin.at)
            made.span = min(low, row.origin.at), max(high, row.origin.at)
        if isinstance(row, Rating):
            made.reasons += bool(row.reason)
            made.corrections += bool(row.correction)
            (made.liked if row.up else made.disliked).add(hash((row.prompt.id, row.completion)))
        place = len(made.examples) if made.tally.usable <= EXAMPLES else random.randrange(made.tally.usable)
        if place < EXAMPLES:
            made.examples[place : place + 1] = [row]
    return made


def warnings(made: Survey) -> list[str]:
    """Return what is odd about a file, each with what to do about it."""
    tally, said = made.tally, []
    if tally.thumbs > 1 and not (tally.up and tally.down):
        way = "up" if tally.up else "down"
        said.append(
            f"every thumb is {way}: nothing can be learned from them alone; were the others lost in the export?"
        )
    if tally.usable and not made.raters:
        said.append("no row names its rater: how reliable people are cannot be told, nor can one of them be left out")
    elif len(made.raters) == 1:
        said.append("one person said it all: what they like is not yet what people like; ask others too")
    elif made.most_active > CROWDED:
        said.append(
            f"one rater gave {made.most_active:.0%} of it: per_rater in [combine] caps what one counts; or ask others too"
        )
    if made.contradicted:
        what = counted(made.contradicted, "answer")
        said.append(f"{what} got thumbs up as well as down: they stay single thumbs, and no pair is made of them")
    return said


def example(row: Rating | Preference) -> dict[str, str]:
    """Return a row as it can be shown: texts masked, then cut."""
    if isinstance(row, Rating):
        said = {
            "read as": "up" if row.up else "down",
            "answer": row.completion,
            "reason": row.reason,
            "correction": row.correction,
        }
    else:
        said = {"read as": f"chosen, p = {row.probability:g}", "answer": row.chosen, "rejected": row.rejected}
    shown = {"from": row.origin.raw, "prompt": row.prompt.text, **said}
    return {name: _short(masked(text)) for name, text in shown.items() if text}


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")
