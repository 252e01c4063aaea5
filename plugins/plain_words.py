"""Plain words: a reward and a metric for answers in short words, and a log of what each stage of a run made.

    plugins = ["plugins/plain_words.py"]

    [rl.rewards.plain]
    use = "plain-words"
    longest = 8

The share of short words is easy to raise with empty talk, so weigh it low, beside rewards that ask for substance.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import caif
from caif.hookspecs import Metric, Reward

WORD = re.compile(r"[^\W\d_]+")


def share(answer: str, longest: int) -> float | None:
    """Return the share of words of at most `longest` letters; None if there are no words."""
    words = WORD.findall(answer)
    return sum(len(word) <= longest for word in words) / len(words) if words else None


def reward(longest: int = 7) -> Reward:
    """Reward short words. An answer without words gets None: no opinion, which is not the same as 0."""

    def plain_words(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float | None]:
        texts = [said if isinstance(said, str) else said[-1]["content"] for said in completions]
        return [share(text, longest) for text in texts]

    return plain_words


def metric(longest: int = 7) -> Metric:
    """Measure the same thing, so that the report shows whether the reward did what it says."""
    return lambda _, answer: share(answer, longest) or 0.0


@caif.hookimpl
def caif_rewards():
    return {"plain-words": reward}


@caif.hookimpl
def caif_metrics():
    return {"plain-words": metric}


@caif.hookimpl
def caif_stage_finished(event: caif.StageEvent) -> None:
    if log := os.environ.get("CAIF_STAGE_LOG"):
        with Path(log).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(vars(event)) + "\n")
