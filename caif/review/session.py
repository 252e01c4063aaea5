"""One review: the item that is next, what was said of it, and what it comes to in the end."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from caif.content import rng
from caif.intervals import Estimate, share
from caif.review.choices import choices, vote
from caif.review.items import Item
from caif.review.votes import Votes

MAX_COMMENT = 10_000
TOLD = {"pair": "decided", "tie": "tied", "both_bad": "both bad", "skip": "skipped", "thumb": "down"}
"""What each kind of vote is counted as in the end; a thumb that is not down is up."""


class Question(NamedTuple):
    """What is asked of every item: an objective, and what the constitution says it means."""

    objective: str
    meaning: str = ""


class Summary(NamedTuple):
    """What a review came to. `gold` is how often the rater was right where the right answer is known, of `answered`.

    `agreement` is how often they prefer what the AI's judges prefer, on the pairs that were drawn for the audit.
    """

    said: dict[str, int]
    left: int
    gold: Estimate | None
    unanswered_gold: int
    agreement: Estimate | None


class Review:
    """Items in order, and the votes on them. What has a vote is not asked again."""

    def __init__(self, items: Sequence[Item], votes: Votes, question: Question, seed: int = 0) -> None:
        self.items, self.votes, self.question, self.seed = {one.id: one for one in items}, votes, question, seed
        self._since: tuple[str, float] = "", 0.0

    @property
    def current(self) -> Item | None:
        """The first item without a vote."""
        one = next((one for name, one in self.items.items() if name not in self.votes.standing), None)
        if one and self._since[0] != one.id:
            self._since = one.id, time.monotonic()
        return one

    @property
    def done(self) -> list[str]:
        """The items that have a vote, the last one last."""
        return [name for name in self.votes.standing if name in self.items]

    def shown(self, one: Item) -> tuple[str, ...]:
        """Return the item's answers in the order in which this rater sees them."""
        turned = rng("order of answers", self.seed, self.votes.rater, one.id).random() < 0.5
        return one.answers[::-1] if turned else one.answers

    def say(self, name: str, choice: str, comment: str = "") -> bool:
        """Write what the rater says of the current item; False, and nothing is written, if that is another one by now."""
        one = self.current
        if one is None or one.id != name:
            return False
        if choice not in {known.name for known in choices(one)}:
            raise ValueError(f"{choice!r} cannot be said of this item")
        said = vote(one, self.shown(one), choice)
        said["seconds"] = round(time.monotonic() - self._since[1], 1)
        if comment.strip():
            said["comment"] = comment.strip()[:MAX_COMMENT]
        self.votes.add(said)
        return True

    def undo(self, name: str = "") -> bool:
        """Take back the last vote, so that its item is next; False if there is none, or `name` is not the last one's."""
        last = self.done[-1] if self.done else ""
        if not last or name not in ("", last):
            return False
        self.votes.take_back(last)
        return True

    def summary(self) -> Summary:
        """Return what the standing votes come to."""
        said = [self.votes.standing[name] for name in self.done]
        gold = Counter(str(line["gold"]) for line in said if line.get("gold"))
        judged = [(line, self.items[line["item"]]) for line in said if line["vote"] == "pair" and line.get("audit")]
        agreed = [
            (line["chosen"] == one.answers[0]) == (one.leaning > 0.5)
            for line, one in judged if one.leaning is not None and one.leaning != 0.5
        ]  # fmt: skip
        return Summary(
            dict(Counter("up" if line.get("up") else TOLD[line["vote"]] for line in said)),
            len(self.items) - len(said),
            share(gold["right"], gold["right"] + gold["wrong"]),
            gold["open"],
            share(sum(agreed), len(agreed)),
        )
