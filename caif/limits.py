"""How, not what: how fast and how long models are asked, and what a run may cost. None of this is ever part of a key."""

from typing import Annotated

from pydantic import Field

from caif.content import Frozen
from caif.data import Share
from caif.sections import Count, Positive
from caif.sections.parts import Number, Whole


class Exec(Frozen):
    """How servers are asked, and when to give up on a call, a row, a stage."""

    concurrency: Count = 32
    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    """Tokens in and out together; what a call will take is estimated from its length and put right by what is reported."""
    timeout: Positive = 120.0
    """Seconds for one try of a row."""
    row_deadline: Positive = 1800.0
    """Seconds for a row in all its tries; what it waits for its turn does not count."""
    stage_deadline: Positive | None = None
    """Seconds after which a stage begins no call any more; it stops, to go on another time."""
    retries: Whole = 5
    patience: Positive = 600.0
    """For how many seconds a server may give no answer at all before the run stops, to go on another time."""
    backoff: Positive = 1.0
    """Seconds before the second try of a row; it doubles with every further one."""
    max_failures: Share = 0.05
    checkpoint_every: Annotated[float, Number, Field(ge=0, allow_inf_nan=False)] = 120.0
    """Seconds between two checkpoints of a training, which goes on from the last if it is killed; 0 keeps every step."""


class Budget(Frozen):
    """What a run may cost in all its lives. Models on this machine are free unless the run file prices them.

    Counted is what was answered and kept under the run's name; a call that brought no answer is not known to cost.
    """

    calls: Count | None = None
    tokens: Count | None = None
    money: Positive | None = None
    """In the currency of `price_in` and `price_out`, which every server's model then needs."""

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by name."""
        return {name: value for name, value in self if value is not None}
