"""How many rows are in flight, how fast calls may follow each other, and how many tokens a text will be."""

import asyncio
import time
from collections.abc import Mapping, Sequence

CHARACTERS = 4.0
"""Characters a token, where no model has reported any yet: what English text comes to."""
PRIOR = 2000
"""After how many characters what a model reports counts as much as that."""


class Gate:
    """How many rows may be in flight: additive increase, multiplicative decrease.

    Whoever takes rows keeps a place from one row to the next, and gives it up where there are too many.
    """

    def __init__(self, limit: int) -> None:
        self.allowed, self.limit, self.flying, self.wins = float(min(4, limit)), limit, 0, 0
        self.alive = self.narrowed = time.monotonic()

    @property
    def free(self) -> int:
        """How many more places there are; below 0, how many are to be given up."""
        return int(self.allowed) - self.flying

    def success(self) -> None:
        """Count a success; a round of them opens the gate by one."""
        self.alive = time.monotonic()
        self.wins += 1
        if self.wins >= self.allowed:
            self.allowed, self.wins = min(self.allowed + 1, float(self.limit)), 0

    def pushback(self, sent: float) -> None:
        """Close the gate by a fifth, to one at least. Calls sent before the last closing tell nothing new."""
        if sent >= self.narrowed:
            self.allowed, self.wins, self.narrowed = max(1.0, self.allowed * 0.8), 0, time.monotonic()


class Pace:
    """Requests and tokens a minute to one server: calls are spaced evenly, so no minute ever holds more than is allowed.

    A call takes the time that its share of either limit is worth, whichever is longer; the next one begins after it. A
    server that counts by the second is satisfied too, which a bucket that fills up would not do.
    """

    def __init__(self, requests: float | None, tokens: float | None) -> None:
        self._request, self._token = 60 / requests if requests else 0.0, 60 / tokens if tokens else 0.0
        self._free = 0.0

    async def turn(self, tokens: float) -> float:
        """Wait for a call's turn, and return for how many seconds."""
        if not self._request and not self._token:
            return 0.0
        now = time.monotonic()
        begins = max(now, self._free)
        self._free = begins + max(self._request, self._token * tokens)
        if begins > now:
            await asyncio.sleep(begins - now)
        return begins - now

    def correct(self, estimated: float, reported: float) -> None:
        """Put the estimate of a call right by what the server says it took; no call is ever worth less than a request."""
        self._free += max(self._request, self._token * reported) - max(self._request, self._token * estimated)


class Gauge:
    """How many tokens a text is for one model: characters over four, put right by what the model reports."""

    def __init__(self) -> None:
        self._characters, self._tokens = float(PRIOR), PRIOR / CHARACTERS

    def tokens(self, characters: int) -> float:
        """Return the tokens that so many characters are likely to be."""
        return characters * self._tokens / self._characters

    def learn(self, characters: int, tokens: int) -> None:
        """Take account of what a call was reported to take in; 0 is no report."""
        if tokens > 0:
            self._characters += characters
            self._tokens += tokens


def characters(messages: Sequence[Mapping[str, str]]) -> int:
    """Return how long a conversation is."""
    return sum(len(message["content"]) for message in messages)
