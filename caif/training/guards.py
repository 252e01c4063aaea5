"""Stop a training that has gone wrong, and say where: a number that is not finite never becomes a model."""

import math
from collections.abc import Sequence
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from caif.errors import FAILED, CaifError

WATCHED = ("loss", "grad_norm")


class Finite(TrainerCallback):
    """Stops the trainer at the first loss or gradient that is not finite."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Look at what was logged."""
        for name in WATCHED:
            if logs and logs.get(name) is not None:
                refuse_unless_finite(float(logs[name]), f"{self.stage}: {name} at step {state.global_step}")


def refuse_unless_finite(value: float, what: str) -> None:
    """Raise unless a number is finite."""
    if not math.isfinite(value):
        raise CaifError(f"{what} is {value}", "lower learning_rate, or look at the rows it was given", code=FAILED)


def checked_rewards(name: str, values: Any, rows: int) -> list[float | None]:
    """Return a reward function's values as numbers or None; anything else is an error that names reward and row."""
    if not isinstance(values, Sequence) and not hasattr(values, "tolist"):
        raise CaifError(f"reward {name}: gave {type(values).__name__}, not a list of numbers", "return one value a row")
    given = values.tolist() if hasattr(values, "tolist") else list(values)
    if len(given) != rows:
        raise CaifError(f"reward {name}: gave {len(given)} values for {rows} rows", "return one value a row")
    return [None if value is None else _number(name, value, row) for row, value in enumerate(given)]


def _number(name: str, value: Any, row: int) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise CaifError(
            f"reward {name}: row {row} is {value!r:.40}", "return a number, or None for no opinion"
        ) from None
    if not math.isfinite(number):
        raise CaifError(f"reward {name}: row {row} is {number}", "return None where there is no reward", code=FAILED)
    return number
