"""What the tests of RL share: rewards as a plugin offers them, and a small run."""

from typing import Any

from caif import hookspecs
from caif.config import ModelSpec, Rl

SEEN: list[dict[str, Any]] = []
"""What the reward `vowels` was given, call by call."""


def vowels(*, often: str = "e") -> hookspecs.Reward:
    """A reward for a letter, which keeps what it was given."""

    def score(prompts: list[Any], completions: list[Any], **given: Any) -> list[float | None]:
        SEEN.append({"prompts": prompts, **given})
        return [float(talk[-1]["content"].count(often)) for talk in completions]

    return score


def silent() -> hookspecs.Reward:
    """A reward with no opinion."""
    return lambda completions, **_: [None] * len(completions)


def broken() -> hookspecs.Reward:
    """A reward that is not a number in its second row."""
    return lambda completions, **_: [1.0, float("nan")] + [1.0] * (len(completions) - 2)


def breaks(*, after: int) -> hookspecs.Reward:
    """A reward that is a number for so many calls."""

    def score(completions: list[Any], **_: Any) -> list[float | None]:
        SEEN.append({})
        values: list[float | None] = [float(len(talk[-1]["content"])) for talk in completions]
        return values if len(SEEN) <= after else [1.0, float("nan"), *values[2:]]

    return score


def length() -> hookspecs.Reward:
    """A reward for nothing but length."""

    def score(completion_ids: list[list[int]], **_: Any) -> list[float | None]:
        return [float(len(ids)) for ids in completion_ids]

    return score


@hookspecs.hookimpl
def caif_rewards() -> dict[str, Any]:
    """The rewards of these tests."""
    return {"vowels": vowels, "silent": silent, "broken": broken, "breaks": breaks, "length": length}


def small(spec: ModelSpec, **fields: Any) -> Rl:
    """Return a section of a run file for a few quick steps."""
    given = {
        "steps": 2,
        "generations": 4,
        "prompts_per_step": 2,
        "at_once": 4,
        "max_tokens": 8,
        "rank": 2,
        "learning_rate": 1e-2,
        "truncated": "keep",  # a tiny random model hardly ever ends
    }
    return Rl.model_validate({"model": spec.model_dump(), **given, **fields})
