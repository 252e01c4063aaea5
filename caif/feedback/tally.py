"""What a feedback file holds, counted row by row; nothing here grows with the rows but what is named by rater."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from caif.data import Preference, Rating, Rejected
from caif.feedback.personal import masked


@dataclass
class Problems:
    """Rows that could not be used: how many for which reason, and where each reason was met first."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, Rejected] = field(default_factory=dict)

    def add(self, row: Rejected) -> None:
        """Count one row."""
        self.counts[row.reason] += 1
        self.first.setdefault(row.reason, row)

    @property
    def table(self) -> list[dict[str, Any]]:
        """The reasons, the most common first; a detail may quote a row, so it is masked."""
        return [
            {
                "reason": reason,
                "count": count,
                "first": self.first[reason].where,
                "detail": masked(self.first[reason].detail),
            }
            for reason, count in self.counts.most_common()
        ]


@dataclass
class Tally:
    """The usable rows of a file by kind, and the problems of the others."""

    up: int = 0
    down: int = 0
    pairs: int = 0
    ties: int = 0
    """Pairs whose probability is one half; they are among the pairs."""
    objectives: Counter[str] = field(default_factory=Counter)
    """Usable rows by the objective they name; "" is none."""
    problems: Problems = field(default_factory=Problems)

    @property
    def thumbs(self) -> int:
        """Thumbs up and down."""
        return self.up + self.down

    @property
    def usable(self) -> int:
        """Thumbs and pairs."""
        return self.thumbs + self.pairs

    @property
    def table(self) -> dict[str, Any]:
        """The counts as JSON."""
        counts = {"thumbs": self.thumbs, "up": self.up, "down": self.down, "pairs": self.pairs, "ties": self.ties}
        return {**counts, "problems": self.problems.table}

    @property
    def about(self) -> str:
        """What the rows are about, as far as they say so, and who says it otherwise."""
        named = ", ".join(f"{name} ({count:,})" for name, count in sorted(self.objectives.items()) if name)
        if not named:
            return "no row names an objective: to a run they are about helpfulness, or about what its run file says"
        more = "; the others are about what the run file says" if self.objectives[""] else ""
        return f"objectives that rows name: {named}{more}; a run warns of those that its constitution lacks"

    def add(self, row: Rating | Preference | Rejected) -> None:
        """Count one row."""
        if isinstance(row, Rejected):
            self.problems.add(row)
            return
        self.objectives[row.objective] += 1
        if isinstance(row, Rating):
            self.up += row.up
            self.down += not row.up
        else:
            self.pairs += 1
            self.ties += row.probability == 0.5
