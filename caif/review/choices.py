"""What a person can say of an item, and what of it goes into the file of votes."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from caif.review.items import DOWN, UP, Item

Gold = Literal["right", "wrong", "open"]


class Choice(NamedTuple):
    """One thing to say: its name, the keys that say it, and how it reads."""

    name: str
    keys: tuple[str, ...]
    label: str


SKIP = Choice("skip", ("s",), "Skip")
OF_PAIRS = (
    Choice("first", ("1",), "Answer 1 is better"),
    Choice("tie", ("0",), "Tie"),
    Choice("second", ("2",), "Answer 2 is better"),
    Choice("both_bad", ("b",), "Both bad"),
    SKIP,
)
OF_THUMBS = (Choice("up", ("+", "1"), "Good"), Choice("down", ("-", "2"), "Not good"), SKIP)


def choices(item: Item) -> tuple[Choice, ...]:
    """Return what can be said of an item."""
    return OF_PAIRS if len(item.answers) == 2 else OF_THUMBS


def vote(item: Item, shown: tuple[str, ...], choice: str) -> dict[str, Any]:
    """Return what a choice says of an item whose answers were shown in this order, by the keys of the reviews format."""
    said: dict[str, Any]
    if choice in ("first", "second"):
        chosen, rejected = shown if choice == "first" else shown[::-1]
        said = {"vote": "pair", "chosen": chosen, "rejected": rejected, "probability": 1.0, "order": choice}
    elif choice in (UP, DOWN):
        said = {"vote": "thumb", "completion": shown[0], "up": choice == UP}
    else:
        said = {"vote": choice, "answers": list(shown)}
    about: dict[str, Any] = {"item": item.id, "prompt": item.prompt.chat}
    if item.audit:
        about["audit"] = True
    if item.signals:
        about["why"] = sorted(item.signals)
    if item.known:
        about["gold"] = right(item, said)
    return said | about


def right(item: Item, said: Mapping[str, Any]) -> Gold:
    """Return whether a vote on a gold item is right; open where it names neither answer."""
    named = {"pair": said.get("chosen"), "thumb": UP if said.get("up") else DOWN}.get(said["vote"])
    return "open" if named is None else "right" if named == item.known else "wrong"
