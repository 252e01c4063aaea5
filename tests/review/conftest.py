"""What the tests of reviews share: a review that writes to a folder of the test."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from questions import Begin

from caif.review.items import Item
from caif.review.session import Question, Review
from caif.review.votes import opened


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Begin a review of some items, by a rater, in `votes.jsonl`; every call is a session of its own."""
    with ExitStack() as stack:

        def start(items: list[Item], rater: str = "ada", seed: int = 0, objective: str = "helpfulness") -> Review:
            stack.close()
            votes = stack.enter_context(opened(tmp_path / "votes.jsonl", rater, objective))
            return Review(items, votes, Question(objective, "be of use"), seed)

        yield start
