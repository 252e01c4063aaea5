"""One training by several processes, each with its own part of every batch: what they tell each other outside TRL."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from torch import Tensor

from caif import processes

T = TypeVar("T")


def mine(parts: Sequence[T]) -> Sequence[T]:
    """Return this process's own of the parts of a batch."""
    return parts[processes.place() :: processes.count()]


def summed(value: float, tensors: Iterable[Tensor]) -> float:
    """Make each tensor's gradient the sum of all processes', and return the sum of their values."""
    if processes.count() == 1:
        return value
    PartialState()  # joins the others, if nothing has yet
    for tensor in tensors:
        if tensor.grad is None:
            tensor.grad = torch.zeros_like(tensor)
        torch.distributed.all_reduce(tensor.grad)
    total = torch.tensor(value, dtype=torch.float64)
    torch.distributed.all_reduce(total)
    return float(total)


def of_the_first(function: Callable[[], T]) -> T:
    """Return to all processes what the function gives in the first; in the others it is not called."""
    if processes.count() == 1:
        return function()
    PartialState()
    told = [function() if processes.first() else None]
    return broadcast_object_list(told)[0]  # type: ignore[no-any-return]


def agreed(value: bool) -> bool:
    """Return what the first process says."""
    return of_the_first(lambda: value)


def wait_for_all() -> None:
    """Wait until every process is here."""
    if processes.count() > 1:
        PartialState().wait_for_everyone()
